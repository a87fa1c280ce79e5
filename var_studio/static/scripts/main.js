// The page's scripts, all in one: what each tab needs, and what Gradio calls by name.
import "./page/translating.js";
import "./page/theme.js";
import { hearingAll } from "./page/answers.js";
import "./page/announcing.js";
import "./page/messages.js";
import "./page/names.js";
import "./page/tab_keys.js";
import "./page/tabs_tour.js";
import { forget, remember } from "./page/memory.js";
import "./page/shortcuts.js";
import "./page/shortcut_list.js";
import "./page/dropped_files.js";
import "./page/copying.js";
import "./page/class_search.js";
import "./page/setting_help.js";
import "./page/wrong_fields.js";
import { opened } from "./page/opening.js";
import { visitPictures } from "./page/visit.js";
import "./edit/canvas.js";
import "./edit/zoom.js";
import "./edit/hold.js";
import "./edit/selecting.js";
import "./edit/cross.js";
import { showMask } from "./edit/mask_look.js";
import "./edit/rectangle.js";
import { explorer } from "./explore/explorer.js";
import "./explore/hands.js";
import "./explore/tour.js";
import "./learn/pyramid.js";

globalThis.fetch = hearingAll(globalThis.fetch); // before Gradio asks for anything
globalThis.explorer = explorer; // the Explore tab's widget connects it to the server
globalThis.showMask = showMask; // the Edit tab's widgets for the look of the mask call it
globalThis.opened = opened; // what answers the page's address calls it
globalThis.varStudioMemory = { forget, remember }; // what keeps the settings calls them
globalThis.visitPictures = visitPictures; // the strip of the visit's pictures connects it to the server
