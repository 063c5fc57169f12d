#!/usr/bin/env python3
"""How many files a user may open: a module in Python, which reads its request."""

import json
import os
import re
import sys

FILE = "/etc/security/limits.d/50-xcrane.conf"


def wanted(config):
    return f"* - nofile {config['files']}\n"


def now():
    try:
        with open(FILE) as file:
            return file.read()
    except FileNotFoundError:
        return None


def metadata(request):
    return {"labels": {"name": "limits", "version": "1.1"}}


def init(request):
    return {"config": {"files": 65536}}


def plan(request):
    new, old = wanted(request["config"]), now()
    return {"changes": [] if old == new else [{"what": FILE, "from": old, "to": new}]}


def apply(request):
    os.makedirs(os.path.dirname(FILE), exist_ok=True)
    with open(FILE + ".new", "w") as file:
        file.write(wanted(request["config"]))
    os.rename(FILE + ".new", FILE)
    return {"state": {"files": request["config"]["files"]}}


def audit(request):
    left, old = request["state"] or request["config"], now()
    if old == wanted(left):
        return {"findings": [], "state": {"files": left["files"]}}
    found = re.fullmatch(r"\* - nofile (\d+)\n", old or "")
    files = int(found[1]) if found else 0
    finding = {"kind": "missing" if old is None else "changed", "what": FILE, "to": old}
    # More than was asked for harms nobody, and may stay: audit --adopt.
    if files > left["files"]:
        return {"findings": [{**finding, "harmless": True}], "state": {"files": files}}
    return {"findings": [finding]}


METHODS = {"metadata": metadata, "init": init, "plan": plan, "apply": apply, "audit": audit}

if __name__ == "__main__":
    print(json.dumps({"result": METHODS[sys.argv[1]](json.load(sys.stdin))}))
