"""A store of the S3 kind on this machine, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from dataprep.shards.storage import RemotePath

ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}


class Store:
    """A running server."""

    def __init__(self, endpoint: str, process: subprocess.Popen[bytes]) -> None:
        self.endpoint = endpoint
        self.process = process
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        self._client: Any = boto3.client("s3", endpoint_url=endpoint, **keys)

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its URI."""
        self._client.create_bucket(Bucket=name)
        return f"s3://{name}"

    def deny(self, bucket: str, *actions: str) -> None:
        """Take permissions away, such as ``s3:PutObject``; none gives all of them back."""
        if not actions:
            self._client.delete_bucket_policy(Bucket=bucket)
            return
        statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": f"arn:aws:s3:::{bucket}/*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._client.put_bucket_policy(Bucket=bucket, Policy=policy)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_store() -> Iterator[Store]:
    """Start a server, let the environment name it, and end it."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, "the server did not start"
            time.sleep(0.05)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (ACCESS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}).items():
                patch.setenv(name, value)
            yield Store(f"http://127.0.0.1:{port}", process)
    finally:
        process.kill()
        process.wait()


def read_remote_files(folder: RemotePath) -> dict[str, bytes]:
    """Name and bytes of everything in a folder of the store."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir(), key=str)}
