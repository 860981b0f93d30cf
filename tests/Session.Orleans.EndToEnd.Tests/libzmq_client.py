"""Speaks with a running testnet as OxenMQ does, over libzmq. Argument: testnet.json. Ends with "all is well" or an exception."""
import json
import os
import sys
import time

import zmq
from zmq.utils import z85

LIMIT_MS = 20000

with open(sys.argv[1]) as file:
    nodes = json.load(file)["nodes"]
context = zmq.Context()


def connect(node, key_of=None, curve=True):
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    socket.sndtimeo = LIMIT_MS  # a socket without a connection would wait for one without end
    # As OxenMQ does: pings, and a connection that is given up when they are not answered.
    socket.setsockopt(zmq.HEARTBEAT_IVL, 200)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
    if curve:
        socket.curve_serverkey = z85.encode(bytes.fromhex((key_of or node)["x25519"]))
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.connect(node["omqUrl"])
    return socket


def receive(socket):
    assert socket.poll(LIMIT_MS), "no answer"
    return socket.recv_multipart()


def request(socket, command, *data):
    tag = os.urandom(8)
    socket.send_multipart([command, tag, *data])
    reply = receive(socket)
    assert reply[:2] == [b"REPLY", tag], reply
    return reply[2:]


client = connect(nodes[0])
client.send(b"HI")
assert receive(client) == [b"HELLO"]
assert request(client, b"sn.ping") == [b"pong"]
assert json.loads(request(client, b"storage.info")[0])["version"] == [2, 8, 0]
assert request(client, b"storage.info", b"de")[0].endswith(b"7:versionli2ei8ei0eee")

# A large message, to a member of the account's swarm.
account = b"\x05" + os.urandom(32)
swarm = json.loads(request(client, b"storage.get_swarm", json.dumps({"pubkey": account.hex()}).encode())[0])
keys = [node["pubkey_ed25519"] for node in swarm["snodes"]]
member = connect(next(node for node in nodes if node["ed25519"] in keys))
data = os.urandom(76800)
store = b"d4:data76800:%b6:pubkey33:%b9:timestampi%de3:ttli3600000ee" % (data, account, int(time.time() * 1000))
reply = request(member, b"storage.store", store)
assert len(reply) == 1 and reply[0].startswith(b"d4:hash43:"), reply
assert reply[0].count(b"9:signature64:") == len(keys)
assert request(client if nodes[0]["ed25519"] not in keys else connect(next(n for n in nodes if n["ed25519"] not in keys)),
               b"storage.store", store)[0] == b"421"

# Pings of several seconds: the connection is still the same one, for a subscription would end with it.
monitor = connect(nodes[0])
refused = request(monitor, b"monitor.messages", b"de")[0]
assert refused.startswith(b"d7:errcodei1e"), refused
events = client.get_monitor_socket(zmq.EVENT_DISCONNECTED)
assert not events.poll(4000), "the connection was given up"

# Neither another node's key nor an unencrypted client gets an answer.
for stranger in connect(nodes[0], key_of=nodes[1]), connect(nodes[0], curve=False):
    try:
        stranger.send(b"HI", zmq.NOBLOCK)
    except zmq.Again:
        continue  # libzmq has given the connection up: it will get no answer either
    assert not stranger.poll(1000), "answered a stranger"

print("all is well")
context.destroy(linger=0)
