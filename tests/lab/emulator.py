"""sushy-tools' emulator of Redfish over one machine: arguments ADDRESS DIRECTORY [MACHINE].

The machine is files in the current directory: power is On or Off, boot the device, log what was done to it. With MACHINE it is the
virtual one of that directory, whose power is chassis.sh's. The emulator's own fake machine does everything after a random number of
seconds; these at once."""

import subprocess
import sys
from pathlib import Path

import bcrypt
import flask
from sushy_tools.emulator import main
from sushy_tools.emulator.resources.systems import fakedriver


def note(text):
    with open("log", "a") as log:
        log.write(text + "\n")


class Machine(fakedriver.FakeDriver):
    def get_power_state(self, identity):
        self._get(identity)
        return Path("power").read_text().strip()

    def set_power_state(self, identity, state):
        self._get(identity)
        note("reset " + state)
        if "Restart" not in state:
            Path("power").write_text("On" if "On" in state else "Off")

    def get_boot_device(self, identity):
        self._get(identity)
        return Path("boot").read_text().strip()

    def set_boot_device(self, identity, boot_source):
        self._get(identity)
        note("boot " + boot_source)
        Path("boot").write_text(boot_source)


class Virtual(fakedriver.FakeDriver):
    """What the emulator knows of a machine beside its power it keeps itself."""

    BUTTONS = {"On": "power 1", "ForceOn": "power 1", "ForceOff": "power 0", "GracefulShutdown": "shutdown 1"}

    def chassis(self, verb, *words):
        script = ["bash", machine + "/chassis.sh", machine, verb, *words]
        done = subprocess.run(script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=20)
        return done.stdout.strip().partition(":")[2]

    def get_power_state(self, identity):
        self._get(identity)
        return "On" if self.chassis("get", "power") == "1" else "Off"

    def set_power_state(self, identity, state):
        self._get(identity)
        self.chassis("set", *self.BUTTONS.get(state, "reset 1").split())

    def get_boot_device(self, identity):
        self._get(identity)
        return {"pxe": "Pxe", "http": "UefiHttp"}.get(self.chassis("get", "boot"), "Hdd")

    def set_boot_device(self, identity, boot_source):
        """The emulator takes UefiHttp without an address for Pxe; the machine can do it."""
        self._get(identity)
        asked = flask.request.json["Boot"]["BootSourceOverrideTarget"]
        self.chassis("set", "boot", {"Pxe": "pxe", "UefiHttp": "http"}.get(asked, "default"))


address, directory, machine = (sys.argv[1:] + [""])[:3]
fakedriver.FakeDriver = Virtual if machine else Machine
secret = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
Path("htpasswd").write_text("admin:" + secret + "\n")
Path("config.py").write_text(
    f"""
SUSHY_EMULATOR_LISTEN_IP = {address!r}
SUSHY_EMULATOR_LISTEN_PORT = 443
SUSHY_EMULATOR_SSL_CERT = {directory + "/cert.pem"!r}
SUSHY_EMULATOR_SSL_KEY = {directory + "/key.pem"!r}
SUSHY_EMULATOR_AUTH_FILE = {directory + "/htpasswd"!r}
SUSHY_EMULATOR_STATE_DIR = {directory!r}
SUSHY_EMULATOR_FAKE_DRIVER = True
SUSHY_EMULATOR_FAKE_SYSTEMS = [
    dict(uuid="a1234567-89ab-4def-8123-000000000001", name="n1", power_state="Off",
         nics=[dict(mac="52:54:00:00:00:01", ip="10.0.0.1")])
]
"""
)
sys.argv[1:] = ["--config", directory + "/config.py"]
sys.exit(main.main())
