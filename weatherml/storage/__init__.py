"""What is written to a disk: whole or not at all, by one process at a time, and there after a power cut.

`files` and `folders` write under another name and give the result its own in the end; `folders.put_in_place` is the one
way in which anything is replaced. `locks` keeps processes apart, `flush` has the disk hold what was written, `room`
says in one line what a disk refuses.
"""
