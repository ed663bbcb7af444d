"""Apache httpd with Debian's mod_auth_openidc as a school's web site: a process of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

PROGRAM, MODULES = "/usr/sbin/apache2", Path("/usr/lib/apache2/modules")
_PATIENCE = 10.0
_MISSING = (
    "apache2 and mod_auth_openidc are missing: on Debian and Ubuntu, apt-get install --no-install-recommends "
    "apache2 libapache2-mod-auth-openidc; .ci/run installs them"
)
_LOADED = ("mpm_event", "authn_core", "authz_core", "authz_user", "env", "mime", "include", "filter", "dir",
           "auth_openidc")  # fmt: skip
PAGE = """<!--#echo encoding="none" var="REMOTE_USER" -->
<!--#echo encoding="none" var="OIDC_CLAIM_name" -->
<!--#echo encoding="none" var="OIDC_CLAIM_acr" -->
<!--#echo encoding="none" var="OIDC_CLAIM_aud" -->
"""
"""What stands behind the sign-on: a line for each, as Apache knows them."""
_CONFIGURATION = """
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
ServerRoot {folder}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/error.log
LogLevel warn auth_openidc:info
{modules}
{owner}
DocumentRoot {folder}/pages
DirectoryIndex index.html
TypesConfig /dev/null
AddType text/html .shtml
AddOutputFilter INCLUDES .shtml
AddDefaultCharset utf-8

OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCIDTokenSignedResponseAlg ES256
OIDCRedirectURI http://127.0.0.1:{port}/inside/redirect
OIDCCryptoPassphrase {passphrase}
OIDCResponseType code
OIDCPKCEMethod S256
OIDCScope "openid profile roles"
OIDCDefaultLoggedOutURL http://127.0.0.1:{port}/
OIDCPassClaimsAs environment
# Has the cache hash its keys: whole access tokens are longer than the 512 bytes it takes.
OIDCCacheEncrypt On
OIDCOAuthServerMetadataURL {issuer}/.well-known/oauth-authorization-server
OIDCOAuthIntrospectionEndpointAuth client_secret_basic
OIDCOAuthClientID {resource}
OIDCOAuthClientSecret {secret}
OIDCOAuthRemoteUserClaim sub
{more}

<Directory {folder}/pages>
  Options +Includes
  Require all granted
</Directory>
<Location /inside>
  AuthType openid-connect
  Require valid-user
</Location>
<Location /api>
  AuthType oauth20
  Require claim client_id:{resource}
</Location>
<Location /inside/officers.shtml>
  Require claim groups:ADMIN@371500
</Location>
<Location /inside/teachers.shtml>
  Require claim groups:TEACHER
</Location>
"""


def configuration(folder: Path, port: int, issuer: str, client_id: str, secret: str, more: str) -> str:
    """The whole of Apache's settings. As root it serves as www-data, for it refuses to as root."""
    missing = not Path(PROGRAM).exists() or not (MODULES / "mod_auth_openidc.so").exists()
    if missing:
        raise RuntimeError(_MISSING)
    user = pwd.getpwnam("www-data") if os.geteuid() == 0 else None
    owner = f"User www-data\nGroup {grp.getgrgid(user.pw_gid).gr_name}" if user else ""
    modules = "\n".join(
        f"LoadModule {name}_module {MODULES}/mod_{name}.so"
        for name in _LOADED if (MODULES / f"mod_{name}.so").exists()
    )  # fmt: skip
    return _CONFIGURATION.format(
        folder=folder, port=port, issuer=issuer, client_id=client_id, secret=secret, more=more, owner=owner,
        modules=modules, passphrase="p" * 40, resource="web-office",
    )  # fmt: skip


def _furnish(folder: Path, text: str) -> None:
    folder.chmod(0o755)
    inside, api = folder / "pages" / "inside", folder / "pages" / "api"
    inside.mkdir(parents=True)
    api.mkdir()
    (api / "who.shtml").write_text(PAGE, "utf-8")
    for name in ("who.shtml", "officers.shtml", "teachers.shtml"):
        (inside / name).write_text(PAGE, "utf-8")
    (folder / "pages" / "index.html").write_text("<p>open to everybody</p>", "utf-8")
    (folder / "httpd.conf").write_text(text, "utf-8")


@contextlib.asynccontextmanager
async def apache(port: int, issuer: str, client_id: str, secret: str, more: str = "") -> AsyncIterator[Path]:
    """Apache on this port until the block ends; yields its error log. RuntimeError, saying what to install
    or what Apache said, when it does not come up."""
    folder = Path(tempfile.mkdtemp(prefix="rongtong-apache-"))
    try:
        text = configuration(folder, port, issuer, client_id, secret, more)
        await asyncio.to_thread(_furnish, folder, text)
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "-f", str(folder / "httpd.conf"), "-DFOREGROUND",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            await _up(process, port)
            yield folder / "error.log"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _up(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            if process.returncode is not None:
                assert process.stderr is not None, "a pipe"
                said = (await process.stderr.read()).decode(errors="replace")
                raise RuntimeError(f"apache2 ended with {process.returncode}: {said[-2000:]}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.05)
