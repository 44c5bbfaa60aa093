"""Shows pictures that were made: one self-contained HTML page, and a contact sheet beside it."""

from synthgen.preview.gallery import write_gallery
from synthgen.preview.show import check_own, show
from synthgen.vision.contact_sheet import write_contact_sheet
from synthgen.vision.picture import Picture

__all__ = ["Picture", "check_own", "show", "write_contact_sheet", "write_gallery"]
