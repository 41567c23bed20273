"""A frozen graph in the form of a published OpenPose, with every operation in it."""

import numpy as np
import tensorflow as tf

FEATURES = 6


def write(
    path,
    *,
    stages=3,
    sigmoid=False,
    training=True,
    dilation=1,
    minuend=False,
    around=False,
):
    """Writes a graph from `image` to 57 answers.

    Args:
        path: of the file.
        stages: of which each after the first reads the features anew.
        sigmoid: whether it has an operation that no such graph has.
        training: whether its batch norm was frozen as in training.
        dilation: of its convolutions.
        minuend: whether it takes something away from a constant.
        around: whether its answers see the picture, not the features alone.
    """
    rng = np.random.default_rng(0)
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:

        def constant(*shape):
            return tf.constant(rng.normal(size=shape), tf.float32)

        def convolved(x, inputs, outputs, side=1, stride=1):
            kernel = constant(side, side, inputs, outputs)
            strides, dilations = [1, stride, stride, 1], [1, dilation, dilation, 1]
            return v1.nn.conv2d(x, kernel, strides, "SAME", dilations=dilations)

        x = image = v1.placeholder(tf.float32, [None, None, None, 3], name="image")
        x = tf.subtract(tf.multiply(tf.divide(x, 256.0), 2.0), 0.5)
        x = tf.nn.bias_add(convolved(x, 3, 4, 3, 2), constant(4))
        statistics = (None, None)
        if not training:
            statistics = constant(4), tf.constant([1.0, 2.0, 0.5, 3.0])
        x, _, _ = v1.nn.fused_batch_norm(
            x, constant(4), constant(4), *statistics, is_training=training
        )
        x = tf.nn.max_pool2d(tf.identity(tf.nn.relu6(x)), 2, 2, "SAME")
        near = convolved(x, 4, 3, stride=2)
        far = v1.nn.depthwise_conv2d(x, constant(3, 3, 4, 1), [1, 4, 4, 1], "SAME")
        far = tf.raw_ops.ResizeBilinear(
            images=convolved(far, 4, 3), size=tf.shape(near)[1:3], align_corners=True
        )
        v = tf.concat([near, far], axis=3)
        answers = [convolved(v, FEATURES, count) for count in (19, 38)]
        for _ in range(1, stages):
            x = tf.concat([*answers, v], axis=3)
            x = tf.nn.relu(convolved(x, FEATURES + 57, 8)) + convolved(v, FEATURES, 8)
            answers = [convolved(x, 8, count) for count in (19, 38)]
        if minuend:
            answers[0] = tf.subtract(tf.constant(1.0), answers[0])
        if around:
            answers[0] += convolved(image, 3, 19, stride=8)
        if sigmoid:
            answers[0] = tf.sigmoid(answers[0])
        tf.concat(answers, axis=3, name="Openpose/concat_stage7")
        definition = graph.as_graph_def()
    path.write_bytes(definition.SerializeToString())
    return path


def answers(path, images):
    """What TensorFlow makes of pictures `[B, H, W, 3]`, BGR 0 to 255, one by one."""
    definition = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    whole = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(definition, name=""), []
    )
    run = whole.prune("image:0", "Openpose/concat_stage7:0")
    return np.concatenate([run(tf.constant(x[None])) for x in images])
