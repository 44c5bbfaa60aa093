"""Shows pictures that were made: one self-contained HTML page, and a contact sheet beside it."""

from synthgen.preview.gallery import write_gallery
from synthgen.preview.picture import Picture
from synthgen.preview.sheet import write_contact_sheet
from synthgen.preview.show import check_own, show

__all__ = ["Picture", "check_own", "show", "write_contact_sheet", "write_gallery"]
