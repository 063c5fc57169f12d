#!/usr/bin/env python3
"""How many files a user may open: a module in Python, which reads its request."""

import json
import os
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
    return {"config": {"nodes": "all", "files": 65536}}


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
    old = now()
    if old == wanted(request["config"]):
        return {"findings": []}
    return {"findings": [{"kind": "missing" if old is None else "changed", "what": FILE, "to": old}]}


METHODS = {"metadata": metadata, "init": init, "plan": plan, "apply": apply, "audit": audit}

if __name__ == "__main__":
    print(json.dumps({"result": METHODS[sys.argv[1]](json.load(sys.stdin))}))
