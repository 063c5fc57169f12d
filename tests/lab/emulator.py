"""sushy-tools' emulator of Redfish over one machine that is files in the current directory.

power is On or Off, boot the device, log what was done to the machine. The emulator's own fake machine does everything after a
random number of seconds; this one at once."""

import sys
from pathlib import Path

import bcrypt
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


address, directory = sys.argv[1:]
fakedriver.FakeDriver = Machine
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
