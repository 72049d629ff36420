"""
A WebSocket client that misbehaves on purpose. Its frames come from wsproto, which shares no code with the WebSocket
library of the server: an error that client and server had in common would not be found.

Usage: attacker.py PORT TOKEN SEED. One JSON line per case: {"name", "close": code or null, "texts": [...], "pongs": [...]}.
`close` is null when the server kept the connection; then it has answered a ping command after the case.
"""
import json
import random
import socket
import struct
import sys

from wsproto.frame_protocol import FrameProtocol, Opcode

PORT, TOKEN, SEED = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
TIMEOUT = 20
HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    "Sec-WebSocket-Protocol: holdfast.v1\r\n\r\n"
)
PING = json.dumps({"type": "ping"})


def frame(opcode, payload=b"", fin=True, rsv=0, masked=True, length=None):
    """Writes a frame that wsproto would refuse. `length`: the length to claim, as (marker, extended length bytes)."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if length is None:
        size = len(payload)
        if size < 126:
            length = (size, b"")
        elif size < 65536:
            length = (126, struct.pack("!H", size))
        else:
            length = (127, struct.pack("!Q", size))
    marker, extended = length
    if not masked:
        return bytes([first, marker]) + extended + payload
    mask = b"\x01\x02\x03\x04"
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([first, 0x80 | marker]) + extended + mask + body


def data(payload, fin=True):
    """A data frame of wsproto. A new protocol object each time, unless the frames belong to one message."""
    return FrameProtocol(client=True, extensions=[]).send_data(payload, fin)


def fragments(pieces):
    protocol = FrameProtocol(client=True, extensions=[])
    return [protocol.send_data(piece, i == len(pieces) - 1) for i, piece in enumerate(pieces)]


def close(code, reason=b""):
    return frame(Opcode.CLOSE, struct.pack("!H", code) + reason)


class Connection:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT), TIMEOUT)
        self.socket.sendall(HANDSHAKE.encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.read()
        self.head, rest = head.split(b"\r\n\r\n", 1)
        assert b" 101 " in self.head, self.head
        self.protocol = FrameProtocol(client=True, extensions=[])
        self.protocol.receive_bytes(rest)
        self.texts, self.pongs, self.close = [], [], None
        self.partial = ""
        self.send(data(json.dumps({"type": "auth", "token": TOKEN})))
        self.until(lambda: any(text.get("type") == "welcome" for text in self.texts))
        self.texts = []

    def read(self):
        received = self.socket.recv(65536)
        if not received:
            raise ConnectionError("closed")
        return received

    def send(self, payload):
        self.socket.sendall(payload)

    def until(self, done):
        """Reads until `done`, a close frame, or the end of the connection."""
        self.take()
        while not done() and self.close is None:
            try:
                self.protocol.receive_bytes(self.read())
            except (ConnectionError, OSError) as error:
                self.close = 1006 if not isinstance(error, socket.timeout) else -1
                return
            self.take()

    def take(self):
        for received in self.protocol.received_frames():
            if received.opcode is Opcode.TEXT:
                self.partial += received.payload
                if received.message_finished:
                    self.texts.append(json.loads(self.partial))
                    self.partial = ""
            elif received.opcode is Opcode.PONG:
                self.pongs.append(bytes(received.payload).decode("latin1"))
            elif received.opcode is Opcode.CLOSE:
                self.close = int(received.payload[0])


def run(name, chunks, alive=True, answers=1):
    connection = Connection()
    try:
        for chunk in chunks:
            connection.send(chunk)
        if alive:
            connection.send(data(PING))
    except OSError:
        pass  # The server may have closed already; its last frames are still to be read.
    connection.until(lambda: alive and sum(text.get("type") == "pong" for text in connection.texts) >= answers)
    connection.socket.close()
    kinds = [text.get("type") + (":" + text["code"] if "code" in text else "") for text in connection.texts]
    print(json.dumps({"name": name, "close": connection.close, "texts": kinds, "pongs": connection.pongs}), flush=True)


def odd_but_valid():
    text = json.dumps({"type": "ping", "note": "h\u00e9llo \u4e16\u754c \U0001f600"}, ensure_ascii=False)
    raw = text.encode()
    run("one byte per frame", [frame(1 if i == 0 else 0, raw[i : i + 1], i == len(raw) - 1) for i in range(len(raw))])
    run("fragments of wsproto", fragments([text[:5], text[5:9], text[9:]]))
    first, *rest = fragments([text[:7], text[7:]])
    run("a ping between fragments", [first, FrameProtocol(True, []).ping(b"between"), *rest])
    run("empty fragments", fragments(["", "", text, "", ""]))
    run("a ping of 125 bytes", [FrameProtocol(True, []).ping(b"x" * 125)])
    run("an unsolicited pong", [FrameProtocol(True, []).pong(b"surprise")])
    run("frames in one segment", [b"".join(data(PING) for _ in range(20))], answers=21)
    run("a frame in many segments", [bytes([byte]) for byte in data(text)])
    for code in (1000, 1001, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999):
        run(f"close {code}", [close(code, b"bye")], False)
    run("close without a code", [frame(Opcode.CLOSE)], False)


def broken():
    for rsv in (4, 2, 1):
        run(f"reserved bit {rsv}", [frame(1, b"\xca\x48\xcd\xc9\xc9\x07\x00", rsv=rsv)], False)
    for opcode in (3, 7, 11, 15):
        run(f"opcode {opcode}", [frame(opcode, b"x")], False)
    run("unmasked", [frame(1, PING.encode(), masked=False)], False)
    run("a ping of 126 bytes", [frame(9, b"x" * 126)], False)
    run("a ping in fragments", [frame(9, b"x", fin=False)], False)
    run("a continuation of nothing", [frame(0, b"x")], False)
    run("a message within a message", [frame(1, b"x", fin=False), frame(1, b"y")], False)
    for name, payload in (
        ("invalid UTF-8", b'{"a":"\xff"}'),
        ("overlong UTF-8", b'{"a":"\xc0\xaf"}'),
        ("a surrogate in UTF-8", b'{"a":"\xed\xa0\x80"}'),
        ("UTF-8 that ends early", b'{"a":"\xe4\xb8'),
    ):
        run(name, [frame(1, payload)], False)
        half = len(payload) // 2 + 2
        run(f"{name}, in fragments", [frame(1, payload[:half], fin=False), frame(0, payload[half:])], False)
    run("binary", [data(b"\x00\x01")], False)
    for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535):
        run(f"close with {code}", [close(code)], False)
    run("half a close code", [frame(8, b"\x03")], False)
    run("a close reason that is no UTF-8", [close(1000, b"\xff")], False)
    run("a length over the limit", [frame(1, length=(127, struct.pack("!Q", 1 << 20)))], False)
    run("a length of 2^63", [frame(1, length=(127, struct.pack("!Q", 1 << 63)))], False)
    run("a length of 2^53", [frame(1, length=(127, struct.pack("!Q", 1 << 53)))], False)
    run("fragments over the limit", [frame(1, b"x" * 60000, fin=False), frame(0, b"x" * 60000, fin=False)], False)
    run("a hundred thousand empty fragments", [frame(1, b"x", fin=False)] + [frame(0, b"", fin=False) * 1000] * 200, False)


def mutations(count):
    """Valid streams with random bytes changed, removed, doubled or inserted. Any close must have a documented code."""
    chooser = random.Random(SEED)
    commands = [
        {"type": "subscribe", "id": "1", "channel": "room:fuzz"},
        {"type": "publish", "id": "2", "channel": "room:fuzz", "data": {"text": "x" * 50}},
        {"type": "unsubscribe", "id": "3", "channel": "room:fuzz"},
    ]
    valid = b"".join(data(json.dumps(command)) for command in commands)
    for number in range(count):
        stream = bytearray(valid)
        for _ in range(chooser.randint(1, 6)):
            at = chooser.randrange(len(stream))
            what = chooser.randrange(4)
            if what == 0:
                stream[at] = chooser.randrange(256)
            elif what == 1:
                del stream[at : at + chooser.randint(1, 20)]
            elif what == 2:
                stream[at:at] = stream[at : at + chooser.randint(1, 20)]
            else:
                stream[at:at] = chooser.randbytes(chooser.randint(1, 20))
            if not stream:
                break
        connection = Connection()
        connection.socket.settimeout(0.3)
        try:
            connection.send(bytes(stream))
        except OSError:
            pass
        connection.until(lambda: False)
        connection.socket.close()
        print(json.dumps({"name": f"mutation {number}", "close": connection.close, "texts": [], "pongs": []}), flush=True)


odd_but_valid()
broken()
mutations(60)
