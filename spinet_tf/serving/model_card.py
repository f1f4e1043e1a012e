"""What is written beside an exported network for the people who meet it."""

from spinet_tf import __version__

CARD = """# SpiNet-QSM: local field in, susceptibility out

Exported by spinet-tf {SoftwareVersion}. `spinet_qsm.json` holds the facts of this card.

| | |
| --- | --- |
| Takes | `local_field` [ppm] and `mask` (0 or 1), (batch, x, y, z); `voxel_size` \
[mm] and `b0_direction` (in voxel axes), (batch, 3); all float32 |
| Gives | `susceptibility` [ppm], (batch, x, y, z), zero outside the mask; \
`solver_iterations` and `solver_residual`, (batch, unroll); `data_consistency`, \
(batch), the relative misfit of the field in the mask; `left_out`, (batch), the share \
of the mask's voxels that were left out, as nothing explains their field |
| Network | {Channels} channel(s), {Unrolls} unrolls of {MMSteps} step(s), {Filters} \
filters, {Blocks} residual blocks; lambda {Lambda:.4g}{Follows}, \
p {P:.4g} |
| CNN | {Precision}; the physics is float32 |
| Outside the mask | the field {Outside} |
| Largest batch | {MaxVoxels} voxels in all |
| Method | Venkatesh, Mathew and Yalavarthy, MAGMA 2024, doi \
10.1007/s10334-024-01158-7 |
| Licence | of the software: Apache-2.0, see LICENSE; the weights have that of whoever \
trained them |

Susceptibility is relative: subtract the mean of a reference region before you compare
subjects. The convolution is circular: leave a margin of air around the head. This is
research software, not a medical device.
"""


def model_facts(model, precision, max_voxels):
    """What a person or a program should know of an exported network.

    Args:
        model: `SpiNetQSM`.
        precision: str, of the CNN.
        max_voxels: int, voxels of the largest batch that is accepted.

    Returns:
        dict that JSON can hold.
    """
    return {
        "Software": "spinet-tf",
        "SoftwareVersion": __version__,
        "Channels": model.channels,
        "Unrolls": model.unrolls,
        "MMSteps": model.mm_steps,
        "Filters": model.filters,
        "Blocks": model.blocks,
        "Lambda": model.lambda_,
        "P": model.p,
        "AdaptivePenalty": model.adaptive_penalty,
        "DipoleAtZero": model.dc_value,
        "SolverTolerance": model.tolerance,
        "Precision": precision,
        "Outside": "counts as unknown" if model.fill_outside else "is used",
        "MaxVoxels": max_voxels,
        "Units": {
            "local_field": "ppm",
            "susceptibility": "ppm",
            "voxel_size": "mm",
            "b0_direction": "unit vector in voxel axes",
        },
    }


def model_card(facts, notes=""):
    """The card as Markdown.

    Args:
        facts: dict, what `model_facts` returns.
        notes: str, Markdown to end with, such as how the network was trained. Defaults
            to nothing.

    Returns:
        str.
    """
    follows = ", which follows the field's errors" if facts["AdaptivePenalty"] else ""
    return CARD.format(**facts, Follows=follows) + (f"\n{notes}" if notes else "")
