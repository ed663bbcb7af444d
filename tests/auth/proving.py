"""A client that holds a key, for stories about proof of possession: good proofs, and bent ones."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64encode
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

PrivateKey = ECKey | OKPKey | RSAKey


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


class Holder:
    """Holds a key and proves it."""

    def __init__(self, key: PrivateKey | None = None, alg: str = "ES256") -> None:
        self.key, self.alg = key or ECKey.generate_key("P-256"), alg
        self.public = self.key.as_dict(private=False)
        self.public.pop("kid", None)

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def proof(
        self,
        method: str,
        url: str,
        token: str = "",
        *,
        header: dict[str, Any] | None = None,
        without: tuple[str, ...] = (),
        **claims: Any,
    ) -> str:
        """A proof; `header` and `claims` replace or add members, `without` leaves claims out."""
        head = {"typ": "dpop+jwt", "alg": self.alg, "jwk": self.public} | (header or {})
        body = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time())}
        if token:
            body["ath"] = b64(hashlib.sha256(token.encode()).digest())
        body |= claims
        return self.sign(head, json.dumps({k: v for k, v in body.items() if k not in without}).encode())

    def sign(self, head: dict[str, Any] | bytes, body: bytes) -> str:
        """Whatever it is, signed with our key by our algorithm, whatever the header says."""
        written = head if isinstance(head, bytes) else json.dumps(head).encode()
        signing = f"{b64(written)}.{b64(body)}"
        signature = jws.JWSRegistry.algorithms[self.alg].sign(signing.encode(), self.key)
        return f"{signing}.{b64(signature)}"
