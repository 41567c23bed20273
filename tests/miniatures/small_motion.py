"""A motion prior that loses nothing: z is the pose, v all of a window's z."""

import tensorflow as tf

from sa3dhp.models import pose_prior
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17


class _Same:
    """E_m and D_m, by the shape of what comes in."""

    def __call__(self, x):
        size = 3 * SKELETON.num_joints
        return tf.reshape(x, [len(x), -1] if len(x.shape) == 3 else [len(x), 30, size])


class _Pose:
    """E_p and D_p."""

    skeleton = SKELETON

    def encode(self, joints):
        return tf.reshape(joints, [len(joints), -1])

    def decode(self, latent):
        return tf.reshape(latent, [len(latent), SKELETON.num_joints, 3])


class _Still(_Same):
    """D_m that knows no motion: every frame of a window is their mean."""

    def __call__(self, x):
        z = super().__call__(x)
        return tf.reduce_mean(z, axis=1, keepdims=True) + tf.zeros_like(z)


def prior(still=False):
    """Returns it, or one whose motions all stand still."""
    decoder = _Still() if still else _Same()
    return pose_prior.MotionPrior(_Same(), decoder, _Pose())
