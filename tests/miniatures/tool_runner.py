"""The tools as users run them, but in processes that have imported TensorFlow already.

A new Python needs five seconds of a core for that, more than most of what is tested.
So one process, which imports it and does nothing with it, forks for every run: the
child has its own flags, working directory, environment and output, and ends with the
status that the tool ends with. That a tool starts from nothing and prints nothing that
is not ours is tested where it matters, with `fresh=True`.
"""

import atexit
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(tool, *flags, cwd, fresh=False, small=False, devices=1, timeout=600, kill=None):
    """Runs a tool of the repository.

    Args:
        tool: its name, such as `adapt`.
        *flags: as text, or made text.
        cwd: where it runs.
        fresh: in a Python of its own.
        small: with `small_resnet` in ResNet-50's place; not with `fresh`.
        devices: logical CPUs that TensorFlow sees; not with `fresh`.
        timeout: seconds.
        kill: how it is to die by `SIGKILL`, not with `fresh`: `{"after": seconds}`, or
            `{"rename": n, "late": False}`, when it gives the n-th of its files its
            name, before that or right after it. `{"record": path}` kills nothing and
            lists those files there.

    Returns:
        A `subprocess.CompletedProcess` with text in `stdout` and `stderr`.
    """
    command = [str(ROOT / "tools" / f"{tool}.py"), *map(str, flags)]
    env = _environment()
    assert not (fresh and (small or kill or devices > 1))
    if fresh:
        return subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    with tempfile.TemporaryDirectory() as folder:
        out, err = (pathlib.Path(folder) / name for name in ("out", "err"))
        asked = {"argv": command, "cwd": os.fspath(cwd), "env": env}
        asked.update(out=str(out), err=str(err), timeout=timeout, small=small)
        asked.update(kill=kill or {}, devices=devices)
        status = _server().ask(asked)
        return subprocess.CompletedProcess(
            command, status, out.read_text(), err.read_text()
        )


def _environment():
    """As a user's: with oneDNN, which the tests' own TensorFlow does without."""
    kept = {k: v for k, v in os.environ.items() if k != "TF_ENABLE_ONEDNN_OPTS"}
    return {**kept, "PYTHONPATH": str(ROOT)}


class _Server:
    """The process that forks."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        atexit.register(self._end)

    def _end(self):
        self._process.stdin.close()  # it reads no more line, and ends
        self._process.wait()
        self._process.stdout.close()

    def ask(self, request):
        """Returns the status of one run."""
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks has ended"
        return int(answer)


@functools.cache
def _server():
    return _Server()


def _serve():
    """Imports, then forks for each line of standard input."""
    from sa3dhp import api, cli  # noqa: F401, I001 (cli first: it silences TensorFlow)
    from tensorflow.python.eager import context

    here = sys.path.pop(0)
    for line in sys.stdin:
        # What TensorFlow has begun does not survive a fork.
        assert context.context()._context_handle is None
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request, here)
        if after := request["kill"].get("after"):
            signal.signal(signal.SIGALRM, functools.partial(_kill, child))
            signal.setitimer(signal.ITIMER_REAL, after)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(status, flush=True)


def _kill(process, *_):
    os.kill(process, signal.SIGKILL)


def _become(request, here):
    """Runs the tool in this process, and ends it; `here` is the folder of helpers."""
    import importlib.util
    import traceback

    signal.alarm(request["timeout"])
    for number, name in ((0, os.devnull), (1, request["out"]), (2, request["err"])):
        opened = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    tool = request["argv"][0]
    sys.argv = request["argv"]
    sys.path.insert(0, os.path.dirname(tool))
    status = 0
    try:
        if request["small"]:
            _shrink(here)
        if request["devices"] > 1:
            _split(request["devices"])
        _watch_renames(**request["kill"])
        # As the console commands are, so that child processes find it by its path.
        spec = importlib.util.spec_from_file_location("__main__", tool)
        sys.modules["__main__"] = module = importlib.util.module_from_spec(spec)
        module.__spec__ = None
        spec.loader.exec_module(module)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # as Python itself would end
        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _shrink(here):
    sys.path.insert(0, here)
    import small_resnet

    from sa3dhp.models import backbone

    sys.path.remove(here)
    backbone.resnet50 = small_resnet.make


def _split(count):
    import tensorflow as tf

    parts = [tf.config.LogicalDeviceConfiguration()] * count
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, parts)


def _watch_renames(after=0.0, rename=0, late=False, record=None):
    """Lists the files that are given their names, or dies at one of them."""
    del after  # the parent's business
    replace, seen = os.replace, []

    def watched(source, destination, **more):
        seen.append(os.fspath(destination))
        if record:
            pathlib.Path(record).write_text("\n".join(seen))
        if len(seen) == rename and not late:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, destination, **more)
        if len(seen) == rename:
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = watched


if __name__ == "__main__":
    _serve()
