"""Laws of warnings: the program tells them in lines of its own."""

import subprocess
import sys

PROGRAM = """
import logging, sys
from weatherml.cli import main
from weatherml.process.logs import ONCE
logging.basicConfig()  # as packages do that are imported
sys.argv = ["weatherml", "info", "--names"]
try:
    main()
finally:
    logging.getLogger("weatherml.storage.locks").warning("waiting for %s", "s3://me:word@host/store")
    logging.getLogger("weatherml.storage.locks").info("all is well")
    for _ in range(2):
        logging.getLogger("weatherml.references").warning("it knows", extra=ONCE)
    logging.getLogger("others").warning("as before")
"""


def test_a_warning_of_the_program_is_a_line_of_its_own_without_secrets():
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "weatherml: waiting for s3://host/store\nweatherml: it knows\nWARNING:others:as before\n"
