# save.py safe|unsafe FILE: writes a report to FILE by way of a temporary file.
import os
import sys
import tempfile


def unsafe():
    path = os.path.join(tempfile.gettempdir(), "report.%d" % os.getpid())
    with open(path, "w") as f:
        f.write("report\n")
    with open(path) as f:
        text = f.read()
    os.remove(path)
    return text


def safe():
    with tempfile.TemporaryFile("w+") as f:
        f.write("report\n")
        f.seek(0)
        return f.read()


text = {"unsafe": unsafe, "safe": safe}[sys.argv[1]]()
with open(sys.argv[2], "w") as out:
    out.write(text)
