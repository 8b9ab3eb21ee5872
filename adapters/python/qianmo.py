"""qianmo in Python: core/qianmo.h through ctypes. Needs libqianmo.so.0 and nothing else.

    import qianmo
    qianmo.load("build/libqianmo.so")            # or nothing, where it is installed
    with qianmo.Database("village.db", qianmo.CREATE) as db:
        with db.begin("grid 3") as tx:           # committed at the end, cancelled by an exception
            household, existed = tx.new("household", "12")
            tx.set("household", household, "head", "Wang (invented)")
        print(db.get("grid 3", "household", "key:12"))
        db.sync()

Methods are named as the functions of qianmo.h, in their order of arguments; what they do stands
there. Texts are str, results the JSON text (or for schema files and exports: bytes as given);
json.loads, or lines(), reads them. An error raises Error. Every method may be called from any
thread; the library lets go of Python's lock while it works. Since 0.1.
"""
import ctypes as c
import json
import weakref

CREATE, NEW, READONLY, CHECK, TEST_DATA = 1, 2, 4, 8, 16  # flags of Database
JSON, AGAIN = 1, 2                                        # of the verbs
DETAIL, DELETED, REVIEW, FAST, DISMISSED = 1, 2, 4, 8, 16  # of reading
OVERDUE = 32                                              # of due
CERTIFICATES = 64                                         # of status
UNREAD = 1                                                # of inbox
WGS84, GCJ02 = 1, 2                                       # of point_shown
FOR_EVER = 0xFFFFFFFF                                     # as a timeout
CLASSES = ("ok", "usage", "absent", "retry", "refused", "storage", "corrupt", "differ")


class _Slice(c.Structure):
    _fields_ = [("p", c.c_char_p), ("n", c.c_size_t)]


class _Text(c.Structure):
    _fields_ = [("p", c.c_void_p), ("n", c.c_size_t)]


class _Error(c.Structure):
    _fields_ = [("code", c.c_int32), ("message", c.c_char * 252)]


_p = c.c_void_p
_NOW = c.CFUNCTYPE(c.c_uint64, _p)
_RANDOM = c.CFUNCTYPE(c.c_int32, _p, c.POINTER(c.c_uint8), c.c_size_t)
_LOG = c.CFUNCTYPE(None, _p, c.c_int32, c.c_char_p)
_BYTES16 = c.CFUNCTYPE(c.c_int32, _p, c.POINTER(c.c_uint8))
_LOAD = c.CFUNCTYPE(c.c_int32, _p, c.POINTER(c.c_uint8), c.POINTER(c.c_size_t))
_SIGN = c.CFUNCTYPE(c.c_int32, _p, c.POINTER(c.c_uint8), c.POINTER(c.c_uint8),
                    c.POINTER(c.c_size_t))
_CHECK = c.CFUNCTYPE(c.c_int32, _p, c.c_char_p, c.POINTER(_Slice), c.c_uint32)
_LINE = c.CFUNCTYPE(None, _p, c.c_char_p, c.c_size_t)
_FREE = c.CFUNCTYPE(None, _p)


class _Options(c.Structure):
    _fields_ = [("size", c.c_uint32), ("flags", c.c_uint32), ("path", c.c_char_p),
                ("busy_ms", c.c_uint32), ("timeout_ms", c.c_uint32), ("payload", _p),
                ("now_ms", _NOW), ("random", _RANDOM), ("log", _LOG), ("instance", _BYTES16),
                ("history_days", c.c_uint32), ("history_mb", c.c_uint32), ("allocate", _p),
                ("key_load", _LOAD), ("key_save", _RANDOM), ("key_point", _BYTES16),
                ("key_sign", _SIGN), ("check_hub", _CHECK)]


class _Result(c.Structure):
    _fields_ = [("size", c.c_uint32), ("refused", c.c_uint32), ("bytes_up", c.c_uint64),
                ("bytes_down", c.c_uint64), ("segments_up", c.c_uint64),
                ("segments_down", c.c_uint64), ("spaces", c.c_uint32),
                ("spaces_differing", c.c_uint32), ("clock_offset_ms", c.c_int64),
                ("renewed", c.c_int32), ("code", c.c_int32), ("repaired", c.c_uint32),
                ("repaired_states", c.c_uint32), ("more", c.c_uint32), ("reserved", c.c_uint32)]


class _Progress(c.Structure):
    _fields_ = [("size", c.c_uint32), ("reserved", c.c_uint32), ("bytes_up", c.c_uint64),
                ("bytes_down", c.c_uint64), ("segments_up", c.c_uint64),
                ("segments_down", c.c_uint64), ("records_down", c.c_uint64),
                ("unsent_before", c.c_uint64), ("unsent", c.c_uint64)]


_PROGRESS = c.CFUNCTYPE(None, _p, c.POINTER(_Progress))
_TOLD = c.CFUNCTYPE(None, _p, c.c_int32)


class _RunOptions(c.Structure):
    _fields_ = [("size", c.c_uint32), ("budget_ms", c.c_uint32), ("payload", _p),
                ("progress", _PROGRESS)]


class _ReviewOptions(c.Structure):
    _fields_ = [("size", c.c_uint32), ("severity", c.c_uint32), ("limit", c.c_uint32),
                ("offset", c.c_uint32), ("collection", _Slice), ("record", _Slice),
                ("cls", _Slice)]


class _Explanation(c.Structure):
    _fields_ = [("size", c.c_uint32), ("reason", c.c_char_p), ("en", c.c_char_p),
                ("zh", c.c_char_p), ("field", _Slice), ("detail", _Slice)]


# Arguments by letter, as the header has them: d database, t transaction, l link, s slice,
# z C string, u uint32, q uint64, i int64, p pointer, T text out, E error out. First: what comes
# back, - nothing.
_SIGNATURES = {
    "abi": "u", "version": "z", "error_text": "zvz", "err_name": "zv", "err_class": "vv",
    "columns": "ps", "options_fill": "-pp", "text_free": "-p",
    "open": "vppE", "close": "-d", "suspend": "vduE", "resume": "vdE",
    "enroll": "vdsssE", "space_create": "vdsssE", "spaces": "vdTE", "schema_text": "vdsTE",
    "schema_pack": "vszTE", "explain": "vpp", "point_shown": "vppvv", "due": "vdsuuuTE",
    "proposals": "vdsuuTE", "unfit": "vdsuuTE",
    "schema_validate": "vsTE", "schema_compare": "vssTE",
    "begin": "vdspE", "commit": "vtE", "cancel": "-t", "written": "ut", "shown": "vtsE",
    "new": "vtssTpE", "delete": "vtssE", "restore": "vtssE", "merge": "vtsssE",
    "unmerge": "vtssE", "distinct": "vtsssE", "not_distinct": "vtsssE", "split": "vtsssTE",
    "set": "vtssssuE", "settle": "vtssssuE", "raise": "vtssssuE", "lower": "vtssssuE",
    "add": "vtssssuE", "remove": "vtssssuE", "inc": "vtsssiE", "append": "vtssssuE",
    "reverse": "vtsssssE", "refer": "vdssssTE", "answers": "vdsssTE",
    "splice": "vtsssqqsE", "insert": "vtsssqsuE", "replace": "vtsssqsuE",
    "remove_at": "vtsssqqE", "put": "vtssssuE", "attach": "vtssszTE",
    "get": "vdsssuTE", "list": "vdsssuuTE", "conflicts": "vdssTE",
    "duplicates": "vdsssuuuTE", "review": "vdspTE", "settles": "vdsTE", "undo": "vdsE",
    "inbox": "vdsuTE", "inbox_seen": "vdsE", "inbox_restore": "vdsE", "history": "vdsssTE",
    "status": "vduTE", "record_status": "vdsssTE", "export_hub": "vdTE", "check": "vdTE",
    "keep": "vduuE", "changes": "vdsuTE", "changes_wait": "vdsuE", "interrupt": "-d",
    "events": "vduTE", "events_fd": "vdpE", "listen": "vdpppE", "unlisten": "-d",
    "sql": "vdssqqTE", "search": "vdsssuuTE", "rebuild": "vdE", "attachments": "vdsssTE",
    "sync": "vdpE", "sync_run": "vdppE", "sync_cancel": "-d", "sync_stay": "vdppE",
    "export_refused": "vdTE", "link_open": "vdpE", "link_feed": "vlspE", "link_take": "vlpppE",
    "link_wait": "ul", "link_over": "vl", "link_close": "vlpE",
}
_TYPES = {"d": _p, "t": _p, "l": _p, "s": _Slice, "z": c.c_char_p, "u": c.c_uint32,
          "q": c.c_uint64, "i": c.c_int64, "v": c.c_int32, "p": _p, "-": None,
          "T": c.POINTER(_Text), "E": c.POINTER(_Error)}
_lib = None


def load(path="libqianmo.so.0"):
    """Loads the library; without it the first call does, from where it is installed."""
    global _lib
    lib = c.CDLL(path)
    for name, signature in _SIGNATURES.items():
        f = getattr(lib, "qm_" + name)
        f.restype = c.c_size_t if name == "columns" else _TYPES[signature[0]]
        f.argtypes = [_TYPES[x] for x in signature[1:]]
    if lib.qm_abi() != 1:
        raise ImportError("%s has ABI %d, not 1" % (path, lib.qm_abi()))
    _lib = lib


def _call(name, *args):
    if _lib is None:
        load()
    return getattr(_lib, "qm_" + name)(*args)


class Error(Exception):
    """code, name ("EGAP"), cls (one of CLASSES), message: the library's, in English."""

    def __init__(self, code, message=b""):
        raw = _bytes(message)
        self.code, self.message, self._raw = code, raw.decode("utf-8", "replace"), raw
        self.name = _call("err_name", code).decode()
        self.cls = CLASSES[_call("err_class", code)]
        super().__init__("%s [%s]" % (self.message or self.text("en"), self.name))

    def text(self, language="en"):
        """What it says to a person, in Chinese ("zh") or English."""
        return _call("error_text", self.code, language.encode()).decode()

    def explain(self):
        """Why a value was refused: {"reason", "en", "zh", "field", "detail"}, or None."""
        e, x = _Error(self.code, self._raw), _Explanation()
        x.size = c.sizeof(x)
        if _call("explain", c.cast(c.byref(e), _p), c.cast(c.byref(x), _p)) != 0:
            return None
        found = {name: getattr(x, name).decode() for name in ("reason", "en", "zh")}
        for name in ("field", "detail"):
            text = getattr(x, name)
            found[name] = c.string_at(text.p, text.n).decode("utf-8", "replace") if text.n else ""
        return found


def _bytes(text):
    return text.encode() if isinstance(text, str) else bytes(text)


def _slice(text):
    b = _bytes(text)
    return _Slice(b, len(b))


def _take(text, as_bytes=False):
    b = c.string_at(text.p, text.n) if text.p else b""
    _call("text_free", c.byref(text))
    return b if as_bytes else b.decode()


def _run(name, *args, out=False, as_bytes=False):
    """A function that ends with (…, [out,] error)."""
    e = _Error()
    text = _Text()
    tail = (c.byref(text), c.byref(e)) if out else (c.byref(e),)
    rc = _call(name, *[_slice(a) if isinstance(a, (str, bytes)) else a for a in args], *tail)
    if rc != 0:
        raise Error(rc, e.message)
    return _take(text, as_bytes) if out else None


def lines(text):
    """A result of one object a line, as a list."""
    return [json.loads(line) for line in text.splitlines() if line]


def version():
    return _call("version").decode()


def columns(text):
    return _call("columns", _slice(text))


def schema_validate(schema):
    return _run("schema_validate", schema, out=True)


def schema_pack(schema, path):
    """The schema with the files that it names, seen from the directory of path, in it."""
    e, text = _Error(), _Text()
    rc = _call("schema_pack", _slice(schema), _bytes(path), c.byref(text), c.byref(e))
    if rc != 0:
        raise Error(rc, e.message)
    return _take(text)


def point_shown(latitude, longitude, source, target):
    """A captured place in the datum of a map, in degrees; for display only."""
    x, y = c.c_double(latitude), c.c_double(longitude)
    rc = _call("point_shown", c.cast(c.byref(x), _p), c.cast(c.byref(y), _p), source, target)
    if rc != 0:
        raise Error(rc)
    return x.value, y.value


def schema_compare(older, newer):
    """Also where the newer one is refused: read "refused" in the lines."""
    e, text = _Error(), _Text()
    rc = _call("schema_compare", _slice(older), _slice(newer), c.byref(text), c.byref(e))
    if rc != 0 and not text.p:
        raise Error(rc, e.message)
    return _take(text)


class Transaction:
    """From Database.begin. Short: while it is open others wait. Ends with its database."""

    def __init__(self, handle, database):
        self._h, self._db = handle, database

    def _open(self):
        if not self._db._h:
            self._h = None  # closing has cancelled it
        if not self._h:
            raise Error(-5, "the transaction has ended")
        return self._h

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self._h and kind is None:
            self.commit()
        elif self._h:
            self.cancel()
        return False

    def _verb(self, name, *args, out=False):
        return _run(name, self._open(), *args, out=out)

    def commit(self):
        h, self._h = self._open(), None
        _run("commit", h)

    def cancel(self):
        h, self._h = self._h, None
        if h and self._db._h:
            _call("cancel", h)

    def written(self):
        return _call("written", self._open())

    def shown(self, token):
        self._verb("shown", token)

    def new(self, collection, key=""):
        """(id, whether it was there already)"""
        e, text, existing = _Error(), _Text(), c.c_int32(0)
        rc = _call("new", self._open(), _slice(collection), _slice(key), c.byref(text),
                   c.byref(existing), c.byref(e))
        if rc != 0:
            raise Error(rc, e.message)
        return _take(text), bool(existing.value)

    def delete(self, collection, record):
        self._verb("delete", collection, record)

    def restore(self, collection, record):
        self._verb("restore", collection, record)

    def merge(self, collection, a, b):
        self._verb("merge", collection, a, b)

    def unmerge(self, collection, record):
        self._verb("unmerge", collection, record)

    def reverse(self, collection, record, field, entry, reason):
        self._verb("reverse", collection, record, field, entry, reason)

    def distinct(self, collection, a, b):
        self._verb("distinct", collection, a, b)

    def not_distinct(self, collection, a, b):
        self._verb("not_distinct", collection, a, b)

    def split(self, collection, record, device=""):
        return self._verb("split", collection, record, device, out=True)

    def set(self, collection, record, field, value, flags=0):
        self._verb("set", collection, record, field, value, flags)

    def settle(self, collection, record, field, value, flags=0):
        self._verb("settle", collection, record, field, value, flags)

    def raise_(self, collection, record, field, value, flags=0):
        self._verb("raise", collection, record, field, value, flags)

    def lower(self, collection, record, field, value, flags=0):
        self._verb("lower", collection, record, field, value, flags)

    def add(self, collection, record, field, element, flags=0):
        self._verb("add", collection, record, field, element, flags)

    def remove(self, collection, record, field, element, flags=0):
        self._verb("remove", collection, record, field, element, flags)

    def inc(self, collection, record, field, delta=1):
        self._verb("inc", collection, record, field, delta)

    def append(self, collection, record, field, value, flags=0):
        self._verb("append", collection, record, field, value, flags)

    def splice(self, collection, record, field, at, cut, text):
        self._verb("splice", collection, record, field, at, cut, text)

    def insert(self, collection, record, field, at, value, flags=0):
        self._verb("insert", collection, record, field, at, value, flags)

    def replace(self, collection, record, field, at, value, flags=0):
        self._verb("replace", collection, record, field, at, value, flags)

    def remove_at(self, collection, record, field, at, count=1):
        self._verb("remove_at", collection, record, field, at, count)

    def put(self, collection, record, field, value, flags=0):
        self._verb("put", collection, record, field, value, flags)

    def attach(self, collection, record, field, path):
        e, text = _Error(), _Text()
        rc = _call("attach", self._open(), _slice(collection), _slice(record), _slice(field),
                   _bytes(path), c.byref(text), c.byref(e))
        if rc != 0:
            raise Error(rc, e.message)
        return _take(text)


class Link:
    """A sync over the program's own transport; from Database.link. Ends with its database."""

    def __init__(self, handle, database):
        self._h, self._db = handle, database

    def _open(self):
        if not self._h:
            raise Error(-5, "the link has ended")
        return self._h

    def feed(self, data):
        """How many of the bytes were taken."""
        used = c.c_size_t(0)
        _run("link_feed", self._open(), bytes(data), c.byref(used))
        return used.value

    def take(self, room=65536):
        to, n = c.create_string_buffer(room), c.c_size_t(0)
        _run("link_take", self._open(), c.cast(to, _p), room, c.cast(c.byref(n), _p))
        return to.raw[:n.value]

    def wait(self):
        return _call("link_wait", self._open())

    def over(self):
        return bool(_call("link_over", self._open()))

    def close(self):
        """What it came to. After EBUSY to be called again."""
        h, r = self._open(), _Result()
        r.size = c.sizeof(r)
        try:
            _run("link_close", h, c.byref(r))
        except Error as e:
            if e.name != "EBUSY":
                self._end()
            raise
        self._end()
        return _fields(r)

    def _end(self):
        self._h = None
        self._db._links.discard(self)


def _fields(struct):
    return {name: getattr(struct, name) for name, _ in struct._fields_
            if name not in ("size", "reserved")}


def _answer(f):
    """A hook that raises gives EIO: an exception must not pass through the library."""
    def guarded(*args):
        try:
            return f(*args) or 0
        except Error as error:
            return error.code
        except Exception:
            return -70
    return guarded


def _hooks(o, hooks):
    """hooks: now_ms() -> int; log(level, message); instance() -> 16 bytes; key_load() -> bytes or
    None; key_save(bytes); key_point() -> 65 bytes; key_sign(digest) -> DER; check_hub(host,
    [DER, …]): raises Error to refuse; random(n) -> bytes."""
    def put(to, data):
        c.memmove(to, bytes(data), len(data))

    def sized(f, to, n, *args):
        data = f(*args)
        if data is None:
            return -60
        if len(data) > n[0]:
            return -4
        put(to, data)
        n[0] = len(data)
        return 0

    def exactly(f, to, size, *args):
        data = f(*args)
        if len(data) != size:
            return -1
        put(to, data)
        return 0

    h = dict(hooks)
    makers = {
        "now_ms": lambda f: _NOW(lambda _: int(f())),
        "log": lambda f: _LOG(lambda _, level, m: f(level, m.decode("utf-8", "replace"))),
        "random": lambda f: _RANDOM(_answer(lambda _, to, n: exactly(f, to, n, n))),
        "instance": lambda f: _BYTES16(_answer(lambda _, to: exactly(f, to, 16))),
        "key_load": lambda f: _LOAD(_answer(lambda _, to, n: sized(f, to, n))),
        "key_save": lambda f: _RANDOM(_answer(lambda _, k, n: f(c.string_at(k, n)))),
        "key_point": lambda f: _BYTES16(_answer(lambda _, to: exactly(f, to, 65))),
        "key_sign": lambda f: _SIGN(_answer(
            lambda _, d, to, n: sized(f, to, n, c.string_at(d, 32)))),
        "check_hub": lambda f: _CHECK(_answer(
            lambda _, host, chain, n: f(host.decode(), [c.string_at(chain[i].p, chain[i].n)
                                                        for i in range(n)]))),
    }
    unknown = set(h) - set(makers)
    if unknown:
        raise TypeError("no such hook: " + ", ".join(sorted(unknown)))
    for name, f in h.items():
        h[name] = makers[name](f)
        setattr(o, name, h[name])
    return h


class Database:
    """An open database. close() it, or use it in a with."""

    def __init__(self, path, flags=0, busy_ms=None, timeout_ms=None, history_days=None,
                 history_mb=None, **hooks):
        self._h, self._told, self._tx, self._links = None, None, None, set()
        o = _Options()
        _call("options_fill", c.byref(o), c.sizeof(o))
        o.path, o.flags = _bytes(path), flags
        for name, value in (("busy_ms", busy_ms), ("timeout_ms", timeout_ms),
                            ("history_days", history_days), ("history_mb", history_mb)):
            if value is not None:
                setattr(o, name, value)
        self._hooks = _hooks(o, hooks)  # the library keeps pointers to them
        handle = _p()
        _run("open", c.cast(c.byref(o), _p), c.cast(c.byref(handle), _p))
        self._h = handle.value

    def close(self):
        if not self._h:
            return
        tx = self._tx and self._tx()
        if self._links and tx:
            tx.cancel()  # which a link would wait for
        for link in list(self._links):
            try:
                link.close()
            except Error:
                pass  # it was cut
        h, self._h = self._h, None
        _call("close", h)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False

    def __del__(self):
        self.close()

    def _do(self, name, *args, out=False, as_bytes=False):
        if not self._h:
            raise Error(-5, "the database is closed")
        return _run(name, self._h, *args, out=out, as_bytes=as_bytes)

    def suspend(self, deadline_ms=2000):
        self._do("suspend", deadline_ms)

    def resume(self):
        self._do("resume")

    def enroll(self, host_port, code, device_name=""):
        self._do("enroll", host_port, code, device_name)

    def space_create(self, name, schema, role=""):
        self._do("space_create", name, schema, role)

    def spaces(self):
        return self._do("spaces", out=True)

    def schema_text(self, space=""):
        return self._do("schema_text", space, out=True)

    def begin(self, space=""):
        tx = _p()
        self._do("begin", space, c.cast(c.byref(tx), _p))
        made = Transaction(tx.value, self)
        self._tx = weakref.ref(made)
        return made

    def get(self, space, collection, record, flags=0):
        return self._do("get", space, collection, record, flags, out=True)

    def list(self, space, collection, after="", limit=0, flags=0):
        return self._do("list", space, collection, after, limit, flags, out=True)

    def conflicts(self, space="", collection=""):
        return self._do("conflicts", space, collection, out=True)

    def duplicates(self, space, collection="", record="", flags=0, limit=0, offset=0):
        return self._do("duplicates", space, collection, record, flags, limit, offset, out=True)

    def review(self, space="", severity=0, limit=0, offset=0, collection="", record="", cls=""):
        o = _ReviewOptions(c.sizeof(_ReviewOptions), severity, limit, offset, _slice(collection),
                           _slice(record), _slice(cls))
        return self._do("review", space, c.cast(c.byref(o), _p), out=True)

    def settles(self, space=""):
        return self._do("settles", space, out=True)

    def undo(self, item=""):
        self._do("undo", item)

    def inbox(self, space="", flags=0):
        return self._do("inbox", space, flags, out=True)

    def inbox_seen(self, item=""):
        self._do("inbox_seen", item)

    def inbox_restore(self, item):
        self._do("inbox_restore", item)

    def history(self, space, collection, record):
        return self._do("history", space, collection, record, out=True)

    def status(self, flags=0):
        return self._do("status", flags, out=True)

    def refer(self, space, collection, record, upper):
        return self._do("refer", space, collection, record, upper, out=True)

    def answers(self, space, collection, record=""):
        return self._do("answers", space, collection, record, out=True)

    def record_status(self, space, collection, record):
        return self._do("record_status", space, collection, record, out=True)

    def export_hub(self):
        return self._do("export_hub", out=True, as_bytes=True)

    def check(self):
        return self._do("check", out=True)

    def keep(self, days, mb):
        self._do("keep", days, mb)

    def changes(self, since="", limit=0):
        return self._do("changes", since, limit, out=True)

    def changes_wait(self, since="", timeout_ms=FOR_EVER):
        self._do("changes_wait", since, timeout_ms)

    def interrupt(self):
        if self._h:
            _call("interrupt", self._h)

    def events(self, timeout_ms=0):
        return self._do("events", timeout_ms, out=True)

    def events_fd(self):
        fd = c.c_int32(-1)
        self._do("events_fd", c.cast(c.byref(fd), _p))
        return fd.value

    def listen(self, told):
        """told(event) with each event, a dict, on a thread of the library's."""
        line = _LINE(lambda _, text, n: told(json.loads(c.string_at(text, n))))
        self._do("listen", c.cast(line, _p), None, None)
        self._told = line

    def unlisten(self):
        if self._h:
            _call("unlisten", self._h)
        self._told = None

    def sql(self, statement, parameters="", rows=0, ms=0):
        if not isinstance(parameters, str):
            parameters = json.dumps(parameters)
        return self._do("sql", statement, parameters, rows, ms, out=True)

    def search(self, space, collection, text, limit=0, offset=0):
        return self._do("search", space, collection, text, limit, offset, out=True)

    def proposals(self, space="", limit=0, offset=0):
        return self._do("proposals", space, limit, offset, out=True)

    def unfit(self, space="", limit=0, offset=0):
        return self._do("unfit", space, limit, offset, out=True)

    def due(self, space="", flags=0, limit=0, offset=0):
        return self._do("due", space, flags, limit, offset, out=True)

    def rebuild(self):
        self._do("rebuild")

    def attachments(self, space="", collection="", record=""):
        return self._do("attachments", space, collection, record, out=True)

    def sync(self, budget_ms=0, progress=None):
        """What came of it, as a dict; "more": 1 where the budget ended first. progress(dict)."""
        r = _Result()
        r.size = c.sizeof(r)
        told = _PROGRESS(lambda _, p: progress(_fields(p[0]))) if progress else _PROGRESS(0)
        o = _RunOptions(c.sizeof(_RunOptions), budget_ms, None, told)
        self._do("sync_run", c.cast(c.byref(o), _p), c.cast(c.byref(r), _p))
        return _fields(r)

    def sync_cancel(self):
        if self._h:
            _call("sync_cancel", self._h)

    def sync_stay(self, told=None):
        """told(code), 0: connected. Until interrupt()."""
        f = _TOLD(lambda _, code: told(code)) if told else _TOLD(0)
        self._do("sync_stay", c.cast(f, _p), None)

    def export_refused(self):
        return self._do("export_refused", out=True)

    def link(self):
        link = _p()
        self._do("link_open", c.cast(c.byref(link), _p))
        made = Link(link.value, self)
        self._links.add(made)
        return made
