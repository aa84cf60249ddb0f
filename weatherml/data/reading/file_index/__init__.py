"""What is in which file, looked at once: many files open as fast as one, and only those are opened that are read."""

from weatherml.data.reading.file_index.cache import place_for
from weatherml.data.reading.file_index.entry import FileEntry, FileToRead, fingerprint
from weatherml.data.reading.file_index.joined import IndexedFiles
from weatherml.data.reading.file_index.scan import index_files

__all__ = ["FileEntry", "FileToRead", "IndexedFiles", "fingerprint", "index_files", "place_for"]
