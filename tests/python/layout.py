#!/usr/bin/python3
"""What adapters/python/qianmo.py believes of qianmo.h: struct members where the compiler puts
them, every function, codes. TAP."""
import ctypes
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, "adapters/python")
import qianmo  # noqa: E402

STRUCTS = {"qm_slice": qianmo._Slice, "qm_text": qianmo._Text, "qm_error": qianmo._Error,
           "qm_options": qianmo._Options, "qm_sync_result": qianmo._Result,
           "qm_sync_progress": qianmo._Progress, "qm_run_options": qianmo._RunOptions,
           "qm_review_options": qianmo._ReviewOptions, "qm_explanation": qianmo._Explanation}
# For C programs; bindings have their own.
NOT_BOUND = {"qm_fail", "qm_err_text", "qm_str"}


def main():
    wanted, source = [], ["#include <stdio.h>", '#include "core/qianmo.h"', "int main(void) {"]
    for name, struct in STRUCTS.items():
        for member, _ in struct._fields_:
            wanted.append("%s.%s %d %d" % (name, member, getattr(struct, member).offset,
                                           getattr(struct, member).size))
            source.append('printf("%s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof((%s *)0)->%s);'
                          .replace("sizeof((%s *)0)->%s", "sizeof(((%s *)0)->%s)")
                          % (name, member, name, member, name, member))
        wanted.append("%s %d" % (name, ctypes.sizeof(struct)))
        source.append('printf("%s %%zu\\n", sizeof(%s));' % (name, name))
    source.append("return 0; }")
    with tempfile.TemporaryDirectory() as d:
        with open(d + "/layout.c", "w") as f:
            f.write("\n".join(source))
        subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-I.", "-o", d + "/layout",
                        d + "/layout.c"], check=True)
        got = subprocess.run([d + "/layout"], check=True, capture_output=True).stdout.decode()
    differ = sorted(set(wanted) ^ set(got.splitlines()))
    names = subprocess.run(["adapters/reference/reference", "names"], check=True,
                           capture_output=True).stdout.decode().split()
    unbound = sorted(set(names) - NOT_BOUND ^ {"qm_" + n for n in qianmo._SIGNATURES})
    print("1..2")
    for number, (name, bad) in enumerate((("structs", differ), ("functions", unbound)), 1):
        print("%s %d - %s" % ("not ok" if bad else "ok", number, name))
        for line in bad:
            print("# " + line)
    return 1 if differ or unbound else 0


if __name__ == "__main__":
    sys.exit(main())
