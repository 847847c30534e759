"""Writes the expected texts of all rejected programs anew: `python -m tests.compiler.reject.bless`."""

from tests.compiler.reject.cases import cases, shown


def main() -> None:
    """Rewrite every case whose text has changed."""
    for case in cases():
        found = shown(case.source)
        if found != case.expected:
            text = case.file.read_text(encoding="utf-8")
            before = f"```python\n{case.source}```\n\n```text\n{case.expected}```"
            assert text.count(before) == 1, f"{case}: two cases are the same, or the layout is not the usual one"
            case.file.write_text(text.replace(before, f"```python\n{case.source}```\n\n```text\n{found}```"))
            print(f"blessed {case}")


if __name__ == "__main__":
    main()
