#!/usr/bin/python3
"""Runs fixtures/api/calls.json through adapters/python/qianmo.py; TAP."""
import json
import os
import sys
import tempfile

sys.path.insert(0, "adapters/python")
import qianmo  # noqa: E402

count = failed = 0


def check(problem, name):
    global count, failed
    count += 1
    failed += bool(problem)
    print("%s %d - %s" % ("not ok" if problem else "ok", count, name))
    if problem:
        print("# " + str(problem).replace("\n", "\n# "))


class Table:
    def __init__(self, path, directory):
        table = json.load(open(path, encoding="utf-8"))
        self.steps = table["steps"]
        self.saved = {}
        self.schema = json.dumps(table["schema"], ensure_ascii=False)
        self.directory = directory
        self.db = self.tx = None

    def value(self, v):
        if isinstance(v, str) and v.startswith("$"):
            return self.saved[v[1:]]
        return self.schema if v == "{schema}" else v

    def call(self, name, on, args):
        if name == "open":
            self.db = qianmo.Database(os.path.join(self.directory, args[0]), args[1])
            return None
        target = {"db": self.db, "tx": self.tx}.get(on, qianmo)
        f = getattr(target, {"raise": "raise_"}.get(name, name))
        result = f(*args)
        if name == "begin":
            self.tx, result = result, None
        return result

    def covers(self, wanted, got):
        if isinstance(wanted, dict):
            return isinstance(got, dict) and all(
                k in got and self.covers(v, got[k]) for k, v in wanted.items())
        if isinstance(wanted, list):
            return (isinstance(got, list) and len(got) == len(wanted)
                    and all(self.covers(w, g) for w, g in zip(wanted, got)))
        wanted = self.value(wanted)
        return wanted == got and isinstance(wanted, bool) == isinstance(got, bool)

    def problem(self, step):
        """What is not as the step says, or None."""
        code, existing, result = "OK", None, None
        try:
            result = self.call(step["call"], step.get("on"), [self.value(a) for a in step["args"]])
        except qianmo.Error as e:
            code = e.name
            if not e.message or not e.text("zh") or e.text("zh") == e.text("en"):
                return "it says nothing: %r" % e.message
            if "class" in step and e.cls != step["class"]:
                return "class " + e.cls
            if "explain" in step and not self.covers(step["explain"], e.explain()):
                return "explained: %r" % e.explain()
        if code != step.get("code", "OK"):
            return "%s %s" % (code, result)
        if isinstance(result, tuple):
            result, existing = result
        if isinstance(result, dict):
            result = json.dumps(result)
        if result is None:
            return None
        text = str(result)
        if existing != step.get("existing", existing):
            return "existing: %s" % existing
        if "text" in step and text != self.value(step["text"]):
            return text
        lines = text.splitlines()
        if "has" in step and text.startswith("{\n"):
            lines = [text]  # one object, printed for people
        if "lines" in step and len(lines) != step["lines"]:
            return "%d lines: %s" % (len(lines), text)
        if "has" in step and not self.covers(step["has"], json.loads(lines[0])):
            return text
        if "some" in step and not any(self.covers(step["some"], json.loads(x)) for x in lines):
            return text
        for name, member in step.get("save", {}).items():
            self.saved[name] = json.loads(lines[0])[member] if member else text
        return None


def main():
    qianmo.load(os.path.join(os.environ.get("BUILD", "build"), "libqianmo.so"))
    with tempfile.TemporaryDirectory() as directory:
        table = Table("fixtures/api/calls.json", directory)
        print("1..%d" % len(table.steps))
        for step in table.steps:
            try:
                problem = table.problem(step)
            except Exception as e:
                problem = "%s: %s" % (type(e).__name__, e)
            check(problem, "%s %s%s" % (
                step["call"], json.dumps(step["args"], ensure_ascii=False)[:60].replace("#", ""),
                " -> " + step["code"] if "code" in step else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
