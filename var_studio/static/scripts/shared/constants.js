// What Python and the page both know; `page/scripts.py` writes it in front of the scripts.
const { varStudio } = globalThis;

export const attentionUnit = varStudio.attentionUnit; // what 1 is in the attention that is sent
export const gain = varStudio.gain; // of what a scale added
export const grey = varStudio.grey; // where it added nothing
export const leastProbability = varStudio.leastProbability; // the darkest colour of a map of probabilities
export const colours = varStudio.colours; // of frames and maps, by their names in `shared/palette.py`
export const markAlpha = varStudio.markAlpha; // how much of the photo the mask covers
export const settingPictures = varStudio.settingPictures; // {label, values: those that are shown}, by the setting's name
export const fieldTerms = varStudio.fieldTerms; // {words with which errors begin: the id of the field}
export const catalogues = varStudio.catalogues; // {English text: text}, by the tag of each other language
