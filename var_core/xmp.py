"""XMP, the description that other programs put into a picture's file: what of a photo's is kept, and a recipe in it."""

import html
import re
from xml.dom import XMLNS_NAMESPACE, minidom
from xml.parsers.expat import ExpatError

MOST = 2**15  # bytes of a photo's that are kept: a JPEG holds about 65,000, and a recipe has to go beside it
OWN = "urn:var-studio"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RECIPE = f'<rdf:Description rdf:about="" xmlns:vs="{OWN}" vs:recipe="{{}}"/>'
ALONE = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}">{{}}</rdf:RDF></x:xmpmeta>'
PACKET = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>{}<?xpacket end="w"?>'
END = "</rdf:RDF>"
DECLARES = re.compile("<!(DOCTYPE|ENTITY)", re.IGNORECASE)  # things that may grow without end
IN_XMP = re.compile(r"vs:recipe(?:=([\"'])(.*?)\1|>([^<]*)<)", re.DOTALL)  # as this or another program wrote it
# What is said of a file, not of what it shows: a recipe of ours, depth maps, gain maps and films beside the picture.
OF_THE_FILE = {
    OWN,
    "http://ns.adobe.com/xmp/note/",
    "http://ns.adobe.com/hdr-gain-map/1.0/",
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/camera/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.google.com/photos/1.0/depthmap/",
}
TIFF, EXIF, BASIC = (f"http://ns.adobe.com/{name}/1.0/" for name in ("tiff", "exif", "xap"))
# Besides: how the pixels lie, and previews, which show what is no longer there.
DROPPED = {
    (TIFF, "Orientation"),
    (TIFF, "ImageWidth"),
    (TIFF, "ImageLength"),
    (EXIF, "PixelXDimension"),
    (EXIF, "PixelYDimension"),
    (BASIC, "Thumbnails"),
}


def kept(stored: bytes | str) -> str:
    """Return what is worth keeping of a photo's XMP, as XML; empty if there is nothing, it is damaged, or too long."""
    text = (stored.decode("utf-8", "replace") if isinstance(stored, bytes) else stored).strip("\0 \t\r\n")
    if not text or len(text) > MOST or DECLARES.search(text):
        return ""
    try:
        document = minidom.parseString(text.encode())
        root = document.documentElement
        for described in document.getElementsByTagNameNS(RDF, "Description"):
            _clean(described)
        found = root.toxml() if root is not None and _says_something(document) else ""
    except (ExpatError, ValueError, LookupError, RecursionError):
        return ""
    return found if END in found and len(found.encode()) <= MOST and "vs:recipe" not in found else ""


def _clean(described: minidom.Element) -> None:
    """Take away what is said of the file itself."""
    for attribute in list(described.attributes.values()):
        if _of_the_file(attribute):
            described.removeAttributeNode(attribute)
        elif (attribute.namespaceURI, attribute.localName) == (RDF, "about"):
            attribute.value = ""  # the same for all descriptions of a file
    for child in list(described.childNodes):
        if _of_the_file(child):
            described.removeChild(child)


def _of_the_file(node: minidom.Node) -> bool:
    return node.namespaceURI in OF_THE_FILE or (node.namespaceURI, node.localName) in DROPPED


def _says_something(document: minidom.Document) -> bool:
    """Say whether descriptions hold more than what they are about and their namespaces."""
    for described in document.getElementsByTagNameNS(RDF, "Description"):
        if any(child.nodeType == child.ELEMENT_NODE for child in described.childNodes):
            return True
        if any(one.namespaceURI not in (XMLNS_NAMESPACE, RDF) for one in described.attributes.values()):
            return True
    return False


def with_text(xmp: str, text: str) -> bytes:
    """Return XMP, as `kept` gave it or empty, that also carries a text."""
    recipe = RECIPE.format(html.escape(text))
    at = xmp.rfind(END)
    return PACKET.format(f"{xmp[:at]}{recipe}{xmp[at:]}" if xmp else ALONE.format(recipe)).encode()


def text_of(xmp: bytes | str) -> str | None:
    """Return the text that XMP carries, also where another program wrote it anew; None if there is none."""
    found = IN_XMP.search(xmp.decode("utf-8", "replace") if isinstance(xmp, bytes) else xmp)
    return html.unescape(found[2] if found[1] else found[3]) if found else None
