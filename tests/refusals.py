"""What a command says when it refuses."""


def sentence_of(result) -> str:
    """The one sentence of a command that ended with 2: (exit code, standard output, standard error)."""
    code, out, err = result
    assert code == 2, (code, out, err)
    lines = [line for line in err.strip().splitlines() if line.startswith("hqgan: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]
