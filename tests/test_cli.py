"""Tools print what is ours and nothing else; bad input costs one line."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOL = '''"""Does a thing."""

from absl import flags

from sa3dhp import cli

FLAGS = flags.FLAGS
flags.DEFINE_enum("do", "", ["", "train", "bad", "bug", "stop", "full"], "What\\nfor.")
flags.DEFINE_float("size", 1.0, "How large.")
flags.DEFINE_integer("count", 1, "How many.")
flags.DEFINE_string("name", None, "Whose.")


def main():
    from sa3dhp import errors

    if FLAGS.do == "bad":
        raise errors.InputError("thing: got 1,\\nexpected 2")
    if FLAGS.do == "bug":
        raise ValueError("our fault")
    if FLAGS.do == "stop":
        raise KeyboardInterrupt
    if FLAGS.do == "full":
        raise OSError(28, "No space left on device", "out.npz")
    import warnings

    import cv2
    import matplotlib.pyplot
    import tensorflow as tf
    import tensorflow_addons

    @tf.function
    def update(x):
        return tf.cond(tf.reduce_sum(x) > 0, lambda: x @ x, lambda: (lambda y: y)(x))

    update(tf.ones([64, 64]))
    cv2.VideoCapture(__file__).read()
    tf.get_logger().warning("chatter")
    warnings.warn("chatter")
    print("done")


if __name__ == "__main__":
    cli.run(main)
'''


@pytest.fixture(scope="module")
def tool(tmp_path_factory):
    path = tmp_path_factory.mktemp("tool") / "tool.py"
    path.write_text(TOOL)
    quieted = ("TF_", "AUTOGRAPH_", "GRPC_", "OPENCV_", "MPL", "PYTHONWARN")
    env = {k: v for k, v in os.environ.items() if not k.startswith(quieted)}
    env["PYTHONPATH"] = str(ROOT)

    def run(*args):
        command = [sys.executable, str(path), *args]
        return subprocess.run(command, env=env, capture_output=True, text=True)

    return run


def test_a_run_prints_only_what_is_ours(tool):
    done = tool("--do=train")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("args", "status", "line"),
    [
        (["--do=bad"], 2, "error: thing: got 1, expected 2\n"),
        (["--do=stop"], 130, "error: interrupted\n"),
        (["--do=full"], 2, "error: out.npz: No space left on device; free some s"),
        (["--size=1e300"], 2, "error: --size: got 1e+300, expected a number up to"),
        (["--size=nan"], 2, "error: --size: got nan, expected a number up to"),
        (
            ["--count=" + "9" * 30],
            2,
            "error: --count: got 999999999999999999999999, ex",
        ),
        (["--name="], 2, "error: --name: expected a value, got none\n"),
        (["--nope=1"], 2, "error: Unknown command line flag 'nope' (--help lists"),
        (["--do=x"], 2, "error: flag --do=x: value should be one of"),
        (["clips"], 2, "error: 'clips': not a flag, expected --name=value"),
    ],
)
def test_bad_input_is_one_line_without_a_stack_trace(tool, args, status, line):
    done = tool(*args)
    assert done.returncode == status
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_our_own_fault_keeps_its_stack_trace(tool):
    done = tool("--do=bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "our fault" in done.stderr


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_shows_the_tool_and_its_own_flags(tool, flag):
    done = tool(flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Does a thing.\n\nflags:\n  --count (default: '1')\n")
    assert "\n  --do\n      <" in done.stdout
    assert done.stdout.count("--") == 4
