#!/usr/bin/python3
"""Two phones in Python and a real hub: offline, edit, sync, review. TAP. All names invented."""
import json
import os
import re
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, "adapters/python")
import qianmo  # noqa: E402

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
count = failed = 0


def check(good, name):
    global count, failed
    count += 1
    failed += not good
    print("%s %d - %s" % ("ok" if good else "not ok", count, name), flush=True)


def refused(code, f, *args):
    try:
        f(*args)
    except qianmo.Error as e:
        return e.name == code
    return False


class Hub:
    def __init__(self, directory):
        self.path = os.path.join(directory, "hub")
        self.run("init", self.path, "--name", "Stone Bridge", "--listen", "127.0.0.1:0")
        self.run("space", "add", self.path, "grid", "--schema", "fixtures/schemas/plain.json")
        self.process = subprocess.Popen([BUILD + "/qianmod", "run", self.path],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.port = int(self.process.stdout.readline().decode().strip().rsplit(":", 1)[1])

    def run(self, *args):
        return subprocess.run([BUILD + "/qianmod", *args], check=True, capture_output=True,
                              timeout=60).stdout.decode()

    def code(self, who):
        out = self.run("--json", "enroll", self.path, "--member", who, "--role", "grid",
                       "--space", "grid")
        return re.search('"code":"([^"]*)"', out).group(1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


class Phone:
    """Its key is kept outside of the database, and it looks at the hub's certificate."""

    def __init__(self, directory, who, hub):
        self.key, self.chains, self.logged = None, [], []
        self.path = os.path.join(directory, who + ".db")
        self.open(qianmo.CREATE)
        self.db.enroll("127.0.0.1:%d" % hub.port, hub.code(who), "phone of " + who)

    def open(self, flags=0):
        self.db = qianmo.Database(self.path, flags, key_load=lambda: self.key, key_save=self.keep,
                                  check_hub=lambda host, chain: self.chains.append(chain),
                                  log=lambda level, message: self.logged.append(message))

    def keep(self, key):
        self.key = key


class Tunnel:
    """A way to the hub that is TLS of the program's own: Python's ssl at both ends, each with a
    certificate of its own, and behind it the hub's port. The hub's TLS goes through it unread, in
    pieces of a few bytes, and where `cut` says so only so many of them."""

    def __init__(self, directory, port):
        self.port, self.cut, self.carried = port, None, 0
        for who in ("relay", "phone"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                            "/CN=" + who, "-addext", "subjectAltName=DNS:" + who, "-keyout",
                            "%s/%s.key" % (directory, who), "-out", "%s/%s.pem" % (directory, who)],
                           check=True, capture_output=True)
        self.server = self.context(directory, ssl.PROTOCOL_TLS_SERVER, "relay", "phone")
        self.client = self.context(directory, ssl.PROTOCOL_TLS_CLIENT, "phone", "relay")
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.serve, daemon=True).start()

    @staticmethod
    def context(directory, protocol, own, other):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain("%s/%s.pem" % (directory, own), "%s/%s.key" % (directory, own))
        context.load_verify_locations("%s/%s.pem" % (directory, other))
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    def serve(self):
        while True:
            try:
                outer = self.server.wrap_socket(self.listener.accept()[0], server_side=True)
            except OSError:
                return
            inner = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self.pump, args=(inner, outer, 1300), daemon=True).start()
            self.pump(outer, inner, 7)
            inner.close()
            outer.close()

    def pump(self, source, to, piece):
        try:
            while True:
                data = source.recv(piece)
                if not data or self.cut is not None and self.carried > self.cut:
                    break
                self.carried += len(data)
                to.sendall(data)
            to.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.listener.getsockname()[1]), timeout=30)
        return self.client.wrap_socket(s, server_hostname="relay")


def outcome(link):
    try:
        return link.close()
    except qianmo.Error as e:
        return e.name


def tunnelled(directory, east, west, port):
    """qm_link over that: whole, and cut at every so many bytes."""
    tunnel = Tunnel(directory, port)
    household = "key:101"
    with east.db.begin("grid") as tx:
        tx.set("household", household, "address", "Stone Bridge 7 (invented)")
    link = east.db.link()
    carry(link, tunnel.connect())
    result = link.close()
    check(result["segments_up"] == 1 and tunnel.carried > 2000,
          "a sync inside TLS of the program's own")
    with east.db.begin("grid") as tx:
        tx.set("household", household, "address", "Stone Bridge 8 (invented)")
    whole, names = tunnel.carried, []
    for cut in range(0, whole, whole // 12):
        tunnel.cut, tunnel.carried = cut, 0
        link = east.db.link()
        try:
            carry(link, tunnel.connect())
        except (OSError, qianmo.Error):
            pass  # the transport is gone
        names.append(outcome(link))
    check("ECLOSED" in names and all(n == "ECLOSED" or isinstance(n, dict) for n in names),
          "cut at %d places it is a cut" % len(names))
    tunnel.cut = None
    link = east.db.link()
    carry(link, tunnel.connect())
    link.close()
    west.db.sync()
    record = json.loads(west.db.get("grid", "household", household))
    check(record["fields"]["address"] == "Stone Bridge 8 (invented)", "and then goes on to its end")
    tunnel.listener.close()


def carry(link, s):
    """The program's own transport."""
    with s:
        while True:
            data = link.take()
            while data:
                s.sendall(data)
                data = link.take()
            if link.over():
                return
            wait = link.wait()
            pending = getattr(s, "pending", int)()
            there = pending or select.select([s], [], [], min(wait / 1000, 30))[0]
            data = s.recv(65536) if there else b""
            if there and not data:
                return
            while True:
                used = link.feed(data)
                data = data[used:]
                if not data:
                    break


def play(directory, hub):
    east, west = Phone(directory, "East", hub), Phone(directory, "West", hub)
    check(east.key and east.key != west.key, "keys lie outside of the databases")
    check(len(east.chains) == 1 and len(east.chains[0]) == 2, "the hub's certificates were shown")
    east.db.sync()
    with east.db.begin("grid") as tx:
        household, existed = tx.new("household", "101")
        tx.set("household", household, "head", "王小民 (invented)")
    check(not existed, "a record, offline")
    status = json.loads(east.db.record_status("grid", "household", household))["status"]
    check(status == "local", "it is local")
    fd = east.db.events_fd()
    told = []
    result = east.db.sync(budget_ms=60000, progress=told.append)
    check(result["segments_up"] == 1 and not result["more"], "sync takes it up")
    check(told and told[-1]["bytes_up"] > 0, "progress was told")
    check(select.select([fd], [], [], 0)[0] == [fd], "the descriptor says that something happened")
    events = [e["event"] + e.get("state", "") for e in qianmo.lines(east.db.events())]
    check("syncbegun" in events and "syncended" in events, "events say what")
    status = json.loads(east.db.record_status("grid", "household", household))["status"]
    check(status == "acknowledged", "it is acknowledged")
    west.db.sync()
    for phone, number in ((east, "10000000011"), (west, "10000000022")):
        with phone.db.begin("grid") as tx:
            tx.set("household", "key:101", "phone", number)
    east.db.sync()
    link = west.db.link()
    carry(link, socket.create_connection(("127.0.0.1", hub.port), timeout=30))
    result = link.close()
    check(result["segments_up"] == 1 and result["segments_down"] == 1,
          "the other syncs over a transport of its own")
    east.db.sync()
    review = qianmo.lines(east.db.review("grid", severity=1))
    check(len(review) == 2 and len(review[0]["values"]) == 2 and review[-1]["conflicts"] == 1,
          "what was written at the same time is listed")
    wanted = "10000000011"
    with east.db.begin("grid") as tx:
        tx.shown(review[0]["token"])
        tx.settle("household", review[0]["id"], "phone", wanted)
    check(len(qianmo.lines(east.db.settles())) == 1, "settled, and can be taken back")
    east.db.sync()
    west.db.sync()
    record = json.loads(west.db.get("grid", "household", "key:101"))
    check(record["fields"]["phone"] == wanted and not record["conflicts"], "the other sees it")
    inbox = qianmo.lines(west.db.inbox("", qianmo.UNREAD))
    check(inbox[0]["reason"] == "settled" and inbox[-1]["unread"] == 1, "and is told of it")
    west.db.inbox_seen(inbox[0]["item"])
    digests = [json.loads(p.db.status())["spaces"][0]["digest"] for p in (east, west)]
    check(digests[0] == digests[1], "both hold the same")

    tunnelled(directory, east, west, hub.port)

    heard = threading.Event()
    east.db.listen(lambda event: heard.set() if event["event"] == "changed" else None)
    with east.db.begin("grid") as tx:
        tx.inc("household", "key:101", "visits", 1)
    check(heard.wait(30), "a listener hears of a commit")
    east.db.unlisten()
    east.db.suspend()
    check(refused("ESUSPENDED", east.db.status), "suspended")
    east.db.resume()
    check(east.db.sync()["segments_up"] == 1, "and back")
    try:
        with west.db.begin("grid") as tx:
            tx.set("household", "key:101", "head", "not saved")
            raise KeyError("as an app's code may")
    except KeyError:
        pass
    head = json.loads(west.db.get("grid", "household", "key:101"))["fields"]["head"]
    check(head == "王小民 (invented)", "an exception cancels")
    left, tx = east.db.link(), east.db.begin("grid")
    east.db.close()
    check(refused("ESTATE", east.db.status), "a closed database says so")
    check(refused("ESTATE", left.take) and refused("ESTATE", tx.commit) and tx.cancel() is None,
          "so do its link and its transaction")
    stolen, east.key = east.key, None
    check(refused("EACCESS", east.open), "it does not open without its key")
    east.key = stolen
    east.open()
    for phone in (east, west):
        shown = [m for m in phone.logged if "王" in m or "10000000" in m]
        check(not shown, "no personal value is logged")
        phone.db.close()


def main():
    qianmo.load(os.path.join(BUILD, "libqianmo.so"))
    with tempfile.TemporaryDirectory() as directory:
        hub = Hub(directory)
        try:
            play(directory, hub)
        finally:
            hub.stop()
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
