"""Where sums are kept: a folder that nothing else has."""

from pathlib import Path

from weatherml.errors import UserError
from weatherml.storage.flush import make_folder
from weatherml.storage.locations import local_folder
from weatherml.storage.room import explaining_errors

ASKED, DOMAIN = "campaign.json", "domain.npz"
"""What sums are of, and on which points."""


def make_place(folder: Path) -> None:
    """Make the folder of a campaign, or of its systems, unless it is there.

    Raises:
        UserError: It lies in a store, or holds what no campaign has begun; or the disk refuses.
    """
    local_folder(folder, "a folder of sums")
    with explaining_errors(folder):
        make_folder(folder)
        found = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if not any(map(_is_begun, (folder, *found))) and any(map(_holds_something, found)):
            raise UserError(
                f"{folder} holds other things than sums of a campaign, such as {found[0].name}; choose another folder"
            )


def _is_begun(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (ASKED, DOMAIN))


def _holds_something(path: Path) -> bool:
    """Return whether this is more than a folder in which a campaign was to begin."""
    return not path.is_dir() or any(not own.name.startswith(".") for own in path.iterdir())
