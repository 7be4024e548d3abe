"""The shape of a transformer, and the operations that training it takes."""

from __future__ import annotations

from dataclasses import dataclass

from twin.errors import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """The shape of a model, dense or with experts."""

    parameters: float
    layers: int
    hidden: int
    sequence: int
    active_parameters: float
    """Parameters a token meets; all of them in a dense model."""
    expert_parameters: float = 0.0
    """Parameters of routed experts, which expert parallelism divides."""
    expert_copies: float = 0.0
    """Copies of a token sent to other ranks per layer; 0 for a dense model."""
    key_width: int = 0
    """Width of the keys of a token, and of its values; 0: as wide as ``hidden``."""
    vocabulary: int = 0
    """Words of input and output; 0: not told apart, all parameters are in the layers."""
    tied: bool = False
    """Whether input and output words are one table, once among the parameters."""
    feed_forward: int = 0
    """Width a token meets between the products of the feed-forward part, of all its experts
    together; 0: four times ``hidden``."""
    gated: bool = False
    """Whether the feed-forward part has a gate as wide as itself."""
    attention_width: int = 0
    """Of queries and values of all heads, in the mean; 0: as wide as ``hidden``."""
    predictions: int = 1
    """Tokens foretold at each place in training. Each after the first takes one more layer and
    the output words again, which are no useful work."""

    def __post_init__(self) -> None:
        """Refuse shapes that cannot be."""
        for name in ("parameters", "layers", "hidden", "sequence", "active_parameters"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        within = self.active_parameters <= self.parameters
        require(within, "active_parameters", self.active_parameters, "<= parameters")
        within = 0 <= self.expert_parameters <= self.parameters
        require(within, "expert_parameters", self.expert_parameters, ">= 0 and <= parameters")
        for name, least in (("feed_forward", 0), ("attention_width", 0), ("predictions", 1)):
            require(getattr(self, name) >= least, name, getattr(self, name), f">= {least}")
        within = self.vocabulary >= 0 and self.layer_parameters > 0
        allowed = ">= 0, and words fewer than active_parameters"
        require(within, "vocabulary", self.vocabulary, allowed)

    @property
    def output_parameters(self) -> float:
        """Return the weights of the output layer."""
        return float(self.vocabulary * self.hidden)

    @property
    def layer_parameters(self) -> float:
        """Return the parameters that a token meets in the layers."""
        return self.active_parameters - (1.0 if self.tied else 2.0) * self.output_parameters

    def layer_weights(self, tensor: int = 1) -> tuple[tuple[float, float], ...]:
        """Return the shapes of a layer's weights, inputs and outputs, on one of *tensor* ranks.

        Queries, keys and values are one product, gate and feed-forward part another.
        """
        hidden, wide = float(self.hidden), (self.feed_forward or 4 * self.hidden) / tensor
        keys = 2 * (self.key_width or self.hidden)
        return (
            (hidden, (self.hidden + keys) / tensor),
            (hidden / tensor, hidden),
            (hidden, (2.0 if self.gated else 1.0) * wide),
            (wide, hidden),
        )

    def attention_flops(self, full_recompute: bool = False) -> float:
        """Return FLOPs of a token's attention scores, causal, in all layers.

        Two products forward and four back; a fifth finds the scores again, which are not
        kept, and *full_recompute* runs both forward ones again.
        """
        width = self.attention_width or self.hidden
        return (9.0 if full_recompute else 7.0) * self.layers * self.sequence * width


def usual_shape(parameters: float) -> tuple[int, int]:
    r"""Layers and width of a dense transformer of that size, as such models are mostly built.

    .. math:: N = 12\,l h^2, \qquad h = 128\,l

    Parameters
    ----------
    parameters : float
        Parameters *N* in the layers, > 0.

    Returns
    -------
    layers : int
        A multiple of four, so that pipelines can share them out.
    hidden : int
        A multiple of 512: eight tensor ranks with whole heads of 64.

    Raises
    ------
    ParameterError
        If there are no parameters.

    Notes
    -----
    The width is 128 times the layers in GPT-3 175B (96 of 12,288) and Llama 2 7B (32 of 4,096),
    130 in Llama 3.1 405B (126 of 16,384), 102 in Llama 2 70B (80 of 8,192).

    References
    ----------
    .. [1] T. Brown et al., "Language models are few-shot learners", 2020, table 2.1.
    .. [2] H. Touvron et al., "Llama 2", 2023; "The Llama 3 herd of models", 2024, table 3.

    Examples
    --------
    >>> usual_shape(175e9), usual_shape(405e9)
    ((96, 12288), (124, 16384))
    """
    require(parameters > 0, "parameters", parameters, "> 0")
    hidden = 512 * max(1, round((128.0 * parameters / 12.0) ** (1 / 3) / 512))
    return 4 * max(1, round(parameters / (12.0 * hidden**2) / 4)), hidden


def training_flops(active_parameters: float, tokens: float, full_recompute: bool = False) -> float:
    """Floating-point operations of a training run, attention scores not counted.

    Parameters
    ----------
    active_parameters : float
        Parameters a token meets, > 0; all of them in a dense model.
    tokens : float
        Tokens seen, > 0.
    full_recompute : bool
        Whether the forward pass is run a second time on the way back.

    Returns
    -------
    float
        6 (with recomputation 8) operations per parameter and token. [FLOP]

    Raises
    ------
    ParameterError
        If a number is not positive.

    References
    ----------
    .. [1] J. Kaplan et al., "Scaling laws for neural language models", 2020.

    Examples
    --------
    GPT-3, in petaFLOP/s-days:

    >>> round(training_flops(175e9, 300e9) / 1e15 / 86400)
    3646
    """
    require(active_parameters > 0, "active_parameters", active_parameters, "> 0")
    require(tokens > 0, "tokens", tokens, "> 0")
    return (8.0 if full_recompute else 6.0) * active_parameters * tokens


def transformer_flops(
    layers: int,
    hidden: int,
    sequence: int,
    vocabulary: int,
    tokens: float,
    full_recompute: bool = False,
) -> float:
    r"""Operations of training a dense transformer, attention scores and output words counted.

    .. math:: F = 72\,T l h^2 \Big(1 + \frac{s}{6h} + \frac{V}{12 l h}\Big)

    With recomputation all but the output layer is run forward twice: 96 for 72, 16 for 12.

    Parameters
    ----------
    layers : int
        Layers *l*, > 0.
    hidden : int
        Width *h*, > 0; the feed-forward part is four times as wide.
    sequence : int
        Tokens *s* of a sequence, >= 0; all pairs are counted, as without a causal mask.
    vocabulary : int
        Words *V*, >= 0.
    tokens : float
        Tokens *T* seen, > 0.
    full_recompute : bool
        Whether the forward pass is run a second time on the way back.

    Returns
    -------
    float
        Operations. [FLOP]

    Raises
    ------
    ParameterError
        If a number is out of range.

    References
    ----------
    .. [1] D. Narayanan et al., "Efficient large-scale language model training on GPU
       clusters using Megatron-LM", SC 2021, section 5.1 and appendix.

    Examples
    --------
    GPT-3's shape over 300 billion tokens, recomputed, in zettaFLOP:

    >>> round(transformer_flops(96, 12288, 2048, 50272, 300e9, full_recompute=True) / 1e21)
    430
    """
    require(layers > 0, "layers", layers, "> 0")
    require(hidden > 0, "hidden", hidden, "> 0")
    require(sequence >= 0, "sequence", sequence, ">= 0")
    require(vocabulary >= 0, "vocabulary", vocabulary, ">= 0")
    require(tokens > 0, "tokens", tokens, "> 0")
    products = 24.0 * layers * hidden**2 + 4.0 * layers * sequence * hidden
    words = 6.0 * hidden * vocabulary
    return tokens * ((4.0 if full_recompute else 3.0) * products + words)


def mfu(model_flops: float, time_s: float, gpus: float, peak_flops: float) -> float:
    """Model FLOPs utilisation: useful operations over what the GPUs could have done.

    Parameters
    ----------
    model_flops : float
        Useful operations, recomputation not counted. [FLOP]
    time_s : float
        Time they took, > 0. [s]
    gpus : float
        GPUs held, > 0.
    peak_flops : float
        Dense peak of one GPU at the precision it is judged by, > 0. [FLOP/s]

    Returns
    -------
    float
        Fraction. [-]

    Examples
    --------
    >>> mfu(624e12, 2.0, 2, 312e12)
    0.5
    """
    return model_flops / (time_s * gpus * peak_flops)
