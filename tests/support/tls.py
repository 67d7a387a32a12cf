"""A certificate for tests, signed by itself, for one name that no public network knows."""

from pathlib import Path

__all__ = ["CERTIFICATE", "files"]

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBtzCCAVygAwIBAgIBATAKBggqhkjOPQQDAjAbMRkwFwYDVQQDDBB0cmFmZmlj
Y29yZSB0ZXN0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAbMRkw
FwYDVQQDDBB0cmFmZmljY29yZSB0ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAExKhxCQe32DQp0P0MPlwp5PbFQflLuooe/QEsuihtvTa8Q0DfNVDoSFGaUqTu
Rb+8cEJf2fgee4/aHebfKvG9GKOBjjCBizAoBgNVHREEITAfgh1hcGkuZGVmYXVs
dC5zdmMuY2x1c3Rlci5sb2NhbDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB/wQE
AwIChDAdBgNVHQ4EFgQUTKc3KClibIVFTgdFADTpFmF5PX4wHwYDVR0jBBgwFoAU
TKc3KClibIVFTgdFADTpFmF5PX4wCgYIKoZIzj0EAwIDSQAwRgIhAJGO76ju1Qu6
cPbnj4bdBc0bgLBDC9ZtN+ZYGVa0C0PzAiEApETPd/BETI84/eCPgQkVYVIpF23K
/DXM4MgYSDmoyV4=
-----END CERTIFICATE-----
"""
#: Made for these tests and worth nothing elsewhere.
_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1JL2Qgn4YhMtfQKY
TYRhR40xuIGKy+5S4wvqD0nX5nShRANCAATEqHEJB7fYNCnQ/Qw+XCnk9sVB+Uu6
ih79ASy6KG29NrxDQN81UOhIUZpSpO5Fv7xwQl/Z+B57j9od5t8q8b0Y
-----END PRIVATE KEY-----
"""


def files(folder: Path) -> tuple[Path, Path]:
    """Write certificate and key into a folder; return their paths."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_text(CERTIFICATE)
    key.write_text(_KEY)
    return certificate, key
