"""ask.py MACHINE COMMAND FIELD...: a QMP command on the machine's second monitor, and fields of what it returns.

A field is a path of keys, for example status or ram.transferred; a list has its length as the key "length".
"""

import json
import socket
import sys

machine, command, *fields = sys.argv[1:]
line = socket.socket(socket.AF_UNIX)
line.settimeout(2)
line.connect(f"/run/vm/{machine}/watch")
stream = line.makefile("rw")
stream.readline()


def ask(name):
    stream.write(json.dumps({"execute": name}) + "\n")
    stream.flush()
    while True:
        answer = json.loads(stream.readline())
        if "event" not in answer:
            return answer["return"]


ask("qmp_capabilities")
found = ask(command)
for field in fields:
    value = found
    for key in field.split("."):
        value = len(value) if key == "length" else value[int(key) if key.isdigit() else key]
    print(value)
