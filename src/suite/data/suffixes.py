"""What files are, by the ends of their names. Imports nothing heavy: a wrong path is refused at once."""

from functools import cache
from importlib.util import find_spec

from PIL import features

# What Pillow decodes by itself, with certainty about what it is. Not PostScript: that would start a program.
_PICTURES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".tif", ".tiff", ".ppm",
     ".pgm", ".pbm", ".pnm", ".webp", ".gif"}
)  # fmt: skip
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "PPM", "WEBP", "GIF")
_JPEG_2000 = (".jp2", ".j2k", ".jpf", ".jpx")
_AVIF = (".avif",)
HEIC = (".heic", ".heif", ".hif")

HAS_HEIC = find_spec("pillow_heif") is not None  # pip install 'suite[heic]'
_MORE = [
    *([("JPEG2000", _JPEG_2000)] if features.check("jpg_2000") else []),
    *([("AVIF", _AVIF)] if features.check("avif") else []),
    *([("HEIF", HEIC)] if HAS_HEIC else []),
]

PICTURES = _PICTURES.union(*(ends for _, ends in _MORE))  # that are read
VIDEOS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm",
     ".wmv"}
)  # fmt: skip
# FFmpeg's options: else it also reads lists of other files and addresses, whatever their suffix.
ONLY_VIDEOS = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,mp4,3gp,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,ogg,asf,h264,hevc,m4v,dv,mxf,gif,"
    "png_pipe,jpeg_pipe,webp_pipe,bmp_pipe,tiff_pipe",  # the last are pictures, to be called so
}
ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst", ".cbz", ".cbr"})
# That hold pictures, and are not read: what a folder has of them is said. No annotations, which hold none.
_OTHERS = frozenset(
    {*_JPEG_2000, *_AVIF, *HEIC, *ARCHIVES, ".jxl", ".jxr", ".tga", ".ico", ".icns", ".pcx", ".qoi", ".sgi",
     ".exr", ".hdr", ".pfm", ".dds", ".psd", ".psb", ".xcf", ".kra", ".clip", ".sai", ".procreate", ".ai", ".eps",
     ".ps", ".svg", ".svgz", ".wmf", ".emf", ".cdr", ".sketch", ".fig", ".raw", ".dng", ".cr2", ".cr3", ".crw", ".nef",
     ".nrw", ".arw", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".3fr", ".iiq", ".dcm", ".nii", ".fits",
     ".czi", ".lif", ".nd2", ".svs", ".ndpi", ".pdf", ".djvu", ".doc", ".docx", ".odt", ".odg", ".odp", ".ppt",
     ".pptx", ".pages", ".key"}
)  # fmt: skip
NOT_READ = (_OTHERS | VIDEOS) - PICTURES


@cache
def formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read, ready to be; no other decoder is ever asked."""
    if HAS_HEIC:
        from pillow_heif import register_heif_opener

        register_heif_opener()
    return (*_FORMATS, *(name for name, _ in _MORE))
