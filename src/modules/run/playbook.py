"""What a playbook does on each host, as lines of JSON: the callback that xcrane hands to ansible-playbook.

ansible-core has none that tells so: its own are for people, and ansible.posix.json is of a collection and tells all at the end.
"""

import json
import sys

from ansible.module_utils.common.text.converters import to_text
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: xcrane
type: stdout
short_description: what happens on each host, as lines of JSON
description: what happens on each host, as lines of JSON
"""


def say(**message):
    sys.stdout.write(json.dumps(message, default=to_text) + "\n")
    sys.stdout.flush()


def text(value):
    return value if isinstance(value, str) else json.dumps(value, default=to_text, sort_keys=True)


def changes(name, result, arguments):
    """One for each thing that differs; one for the task where it does not say what."""
    differences = result.get("diff") or []
    told = []
    for one in [differences] if isinstance(differences, dict) else differences:
        # What stands before is the file itself; what comes after may be a copy of the new one, of this run, which is named only where
        # the file is not known: it has another name each time.
        header = one.get("before_header")
        if not header and one.get("after_header"):
            header = result.get("dest") or arguments.get("dest") or arguments.get("path") or one["after_header"]
        what = name if not header else "%s: %s" % (name, header)
        if one.get("prepared"):
            told.append({"what": what, "to": text(one["prepared"])})
        elif one.get("before") != one.get("after"):
            told.append({"what": what, "from": text(one.get("before", "")), "to": text(one.get("after", ""))})
    return told or [{"what": name}]


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "xcrane"

    def __init__(self):
        super().__init__()
        self.faults = {}

    def v2_playbook_on_task_start(self, task, is_conditional):
        say(progress=task.get_name())

    def v2_runner_on_ok(self, result):
        host, said = result._host.get_name(), result._result
        # Of a loop these are of any of its turns.
        arguments = {} if said.get("results") else result._task_fields.get("args") or {}
        for one in said.get("results") or [said]:
            if isinstance(one, dict) and one.get("changed"):
                for change in changes(result._task.get_name(), one, arguments):
                    say(target=host, change=change)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        said = result._result
        words = [said.get("msg"), said.get("module_stderr"), said.get("stderr"), said.get("censored")]
        words += [one.get("msg") for one in said.get("results") or [] if isinstance(one, dict) and one.get("failed")]
        told = ": ".join(text(word).strip() for word in words if word)
        self.faults[result._host.get_name()] = "%s: %s" % (result._task.get_name(), told)

    def v2_runner_on_unreachable(self, result):
        self.faults[result._host.get_name()] = text(result._result.get("msg", "it cannot be reached")).strip()

    def v2_playbook_on_no_hosts_matched(self):
        say(warning="a play is for no host: 'hosts: targets' means the nodes of the config")

    def v2_playbook_on_stats(self, stats):
        for host in stats.processed:
            ended = stats.summarize(host)
            if ended["failures"] or ended["unreachable"]:
                say(target=host, error=self.faults.get(host, "a task failed"))
            elif host in stats.custom:
                say(target=host, state=stats.custom[host])
        say(ended=True)
