"""Small trainings in replicas, each run in a process of its own by `tool_runner`.

What is asked of TensorFlow first decides on its devices, so that no test can do this in
the process of all tests.

    small_replicas.py FOLDER TRAINING devices [STEPS]    all logical CPUs
    small_replicas.py FOLDER TRAINING workers [STEPS [--die=N [--apart]]]

The variables go to `FOLDER/<TRAINING>_devices.npz`, or `.._worker_0.npz`, by name.
The state is kept in `FOLDER/<TRAINING>`. Of the two processes, worker 1 dies at the
step of `--die`, or is given a folder of its own.
"""

import functools
import itertools
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.synthetic import world
from sa3dhp.training import loop, optimisation, replicas, shared_norm

ROOT = pathlib.Path(__file__).resolve().parents[2]


def adaptation(strategy, names=("cr", "z1", "z3", "v2", "v3")):
    """An adaptation with terms of each kind and a slow copy: step and batches."""
    import small_adaptation as small
    from small_networks import SmallEncoder

    from sa3dhp.models import chunked
    from sa3dhp.systems.relation_distillation import relation_network
    from sa3dhp.systems.relation_distillation.steps import terms

    with replicas.scope(strategy):
        tf.keras.utils.set_random_seed(0)
        encoder, motion = SmallEncoder(), small.SmallMotionEncoder()
        relations = {
            name: (rule, relation_network.RelationNetwork((16, 16, 16, size)))
            for name, size in (("z1", 32), ("z3", 32), ("v2", 24), ("v3", 24))
            for rule in [small.RULES[name]]
        }
        bench = small.Bench(encoder, motion, relations)
        bench.encode = replicas.shared(chunked.Chunked(bench.encode, 50))
        slow = SmallEncoder()
        teacher = terms.Teacher(
            encoder,
            slow,
            block="res3",
            momentum=0.9,
            encode=replicas.shared(lambda images: slow(images, training=False)),
        )
        step = bench.step(names, teacher=teacher)
    return step, lambda start: itertools.repeat(bench.batch)


def source(strategy):
    """The stage `source` on statistics that were estimated: step and batches."""
    import small_resnet

    from sa3dhp.systems.relation_distillation import config as configs
    from sa3dhp.systems.relation_distillation import networks, stages
    from sa3dhp.training import store

    changes = ("source.backbone_rate=0.0005", "source.ema=0.9", "source.clip_norm=1.0")
    changes += ("image_encoder.batch_norm=reestimated", "source.frozen_up_to=res3")
    changes += ("source.batch_size=5",)
    config = configs.load(ROOT / "configs" / "smoke.yaml", changes)
    with tempfile.TemporaryDirectory() as folder, small_resnet.used():
        known = networks.Networks(config, store.Store(folder))
        known.store.save({name: known.new(name) for name in networks.POSE})
        known.store.save_bones(networks.SKELETON, world.mean_bone_lengths())
        stages._ESTIMATED, stages._AVERAGED = 8, 2
        (stage,) = stages.Stages(config, known, strategy).parts("source")
    return stage.step, stage.batches, stage.finalise


class Pairs:
    """A step without a network: each of seven rows is compared with all."""

    models = ()

    def __init__(self, strategy, policy):
        tf.keras.mixed_precision.set_global_policy(policy)
        self._strategy = strategy
        with replicas.scope(strategy):
            # The one is needed by a share of the rows, the other by all.
            self._variables = [tf.Variable(tf.eye(2)), tf.Variable(1.0)]
            self._optimizer = optimisation.adam(0.1, self._variables)
            self._seen = tf.Variable(0)
        self._encode = replicas.shared(self._encoded)

    @property
    def trackables(self):
        matrix, factor = self._variables
        found = {"matrix": matrix, "factor": factor, "seen": self._seen}
        return {**found, "optimizer": self._optimizer}

    def _encoded(self, rows):
        self._seen.assign(tf.shape(rows)[0])
        return tf.tanh(rows @ self._variables[0])

    @tf.function(autograph=False)
    def __call__(self, rows):
        return replicas.run(self._strategy, self._update, rows)

    def _update(self, rows):
        with tf.GradientTape() as tape:
            latent = self._encode(rows)
            alike = self._variables[1] * tf.matmul(latent, latent, transpose_b=True)
            loss = tf.reduce_mean(tf.reduce_logsumexp(alike, -1))
        optimisation.update(self._optimizer, tape, loss, self._variables)
        return {}  # a loss that is not finite would end the run


def pairs(strategy, policy="float32"):
    """Seven rows, of which no number of replicas gets equal shares: step and batches.

    Under float16 the loss of the third step is not finite.
    """

    def start_at(start):
        for number in itertools.count(start):
            huge = policy == "mixed_float16" and number == 2
            yield (np.inf if huge else 1.0) + tf.reshape(
                tf.range(14.0) - number, [7, 2]
            ) / 14.0

    return Pairs(strategy, policy), start_at


class Chain:
    """A network behind another, with batch norm in both and dropout between them."""

    def __init__(self, strategy):
        self._strategy = strategy
        with replicas.scope(strategy):
            tf.keras.utils.set_random_seed(0)
            self._first, self._second = (self._network(size) for size in (3, 7))
            shared_norm.synchronise(self._first, self._second)
            self._dropout = tf.keras.layers.Dropout(0.5)
            self._variables = [
                *self._first.trainable_variables,
                *self._second.trainable_variables,
            ]
            self._optimizer = optimisation.adam(0.01, self._variables)

    def _network(self, channels):
        layers = tf.keras.layers
        convolution = layers.Conv2D(4, 3, padding="same", use_bias=False)
        parts = [convolution, layers.BatchNormalization(momentum=0.5), layers.ReLU()]
        return tf.keras.Sequential([layers.Input((6, 6, channels)), *parts])

    @property
    def models(self):
        return {"first": self._first, "second": self._second}

    @property
    def trackables(self):
        return {**self.models, "optimizer": self._optimizer}

    @tf.function(autograph=False, reduce_retracing=True)
    def __call__(self, images):
        return replicas.run(self._strategy, self._update, images)

    def _update(self, images):
        first = replicas.shared(lambda x: self._first(x, training=True))
        second = replicas.shared(
            lambda x, y: {"seen": self._second(tf.concat([x, y], -1), training=True)}
        )
        with tf.GradientTape() as tape:
            codes = first(images)
            kept = replicas.alike(lambda: self._dropout(codes, training=True))
            seen = tf.reduce_mean(second(kept, images)["seen"], axis=[1, 2])
            alike = tf.reduce_logsumexp(tf.matmul(seen, seen, transpose_b=True), -1)
            loss = tf.reduce_mean(alike) + tf.reduce_mean((codes - 0.5) ** 2)
        optimisation.update(self._optimizer, tape, loss, self._variables)
        return {}


def chain(strategy):
    """Five pictures, two, five, ...: of two, a third replica gets nothing."""

    def start_at(start):
        for number in itertools.count(start):
            rng = np.random.default_rng(number)
            shape = [2 if number % 2 else 5, 6, 6, 3]
            yield tf.constant(rng.normal(1, 1, shape), tf.float32)

    return Chain(strategy), start_at


TRAININGS = {
    "adaptation": adaptation,
    "brief": functools.partial(adaptation, names=("cr", "z1")),
    "chain": chain,
    "pairs": pairs,
    "pairs16": functools.partial(pairs, policy="mixed_float16"),
    "source": source,
}


def train(folder, training, name, strategy, steps, die):
    """Runs a training, or goes on with it, and writes the variables."""
    step, batches, *finalise = TRAININGS[training](strategy)

    def watched(start):
        for number, batch in enumerate(batches(start), start=start + 1):
            if number == die and strategy.cluster_resolver.task_id == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield batch

    workdir = replicas.own(strategy, folder / training)
    with replicas.together(strategy):
        loop.run(
            step,
            watched,
            num_steps=steps,
            workdir=workdir,
            name=training,
            checkpoint_every=2,
        )
    for finish in finalise:
        finish()
    state = tf.train.load_checkpoint(str(workdir / "state" / training))
    names = [x for x in state.get_variable_to_shape_map() if "VARIABLE" in x]
    found = {name: state.get_tensor(name) for name in names}
    for model in dict(step.models).values():
        found.update({x.name: x.numpy() for x in model.variables})
    np.savez(folder / f"{training}_{name}.npz", **found)


def workers(run):
    """Calls `run(number)` in two processes at once; returns how they ended."""
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    children = []
    for index in range(2):
        children.append(os.fork())
        if not children[-1]:
            task = {"type": "worker", "index": index}
            os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            run(index)
            return []
    return [os.waitstatus_to_exitcode(os.waitpid(x, 0)[1]) for x in children]


def main(folder, training, how, steps="7", die="--die=0", apart=""):
    folder, steps, die = pathlib.Path(folder), int(steps), int(die.split("=")[1])
    if how == "devices":
        train(folder, training, how, replicas.make("mirrored"), steps, die)
        return

    tempfile.tempdir = str(folder)  # these processes end too suddenly to tidy up

    def work(index):
        try:
            strategy = replicas.make("multi_worker")
            home = folder / "other" if apart and index else folder
            train(home, training, f"worker_{index}", strategy, steps, die)
        except errors.InputError as error:
            print(f"worker {index}: {error}", file=sys.stderr)
            sys.exit(2)

    if ended := workers(work):
        print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
