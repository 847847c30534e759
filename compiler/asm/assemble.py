"""Assembly of one block: header, layout, operands, encoding, verification and checks, with all errors in one run."""

import difflib
from dataclasses import dataclass, field

from compiler.asm.block import AssembledBlock, InstructionLine
from compiler.asm.dataflow import DataFlow, Step
from compiler.asm.diagnostics import BlockSource, Place, Reporter
from compiler.asm.encoder import EncodingFault, canonical_text, encode
from compiler.asm.evaluate import Evaluator, Labels, Resolve, Unusable
from compiler.asm.forms import UNPREDICTABLE_RANK, Match, Mismatch, all_forms, match_forms
from compiler.asm.header import BlockHeader, read_header
from compiler.asm.layout import Item, Layout, lay_out, string_bytes
from compiler.asm.operands import Address, PageOffset, Value, Word
from compiler.asm.relocation import Relocation, TargetFault, place_datum, place_target
from compiler.asm.syntax import OperandSyntax, StringSyntax, parse_line
from compiler.asm.system import SYSTEM_MNEMONICS, match_system
from compiler.asm.verifier import mismatch

_NOP, _RET = 0xD503201F, 0xD65F03C0


@dataclass(slots=True)
class _Output:
    code: bytearray = field(default_factory=bytearray)
    relocations: list[Relocation] = field(default_factory=list[Relocation])
    lines: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    instructions: list[InstructionLine] = field(default_factory=list[InstructionLine])
    data_ranges: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    matches: dict[int, tuple[Item, Match, Value | None]] = field(
        default_factory=dict[int, tuple[Item, Match, Value | None]]
    )


class _Assembler:
    def __init__(self, source: BlockSource, resolve: Resolve) -> None:
        self._source = source
        self._resolve = resolve
        self._reporter = Reporter(source.file)
        self._labels = Labels()
        self._output = _Output()

    def run(self) -> AssembledBlock:
        header = read_header(self._source, self._reporter)
        symbols = self._symbols(header)
        evaluator = Evaluator(self._resolve, self._reporter, self._labels, symbols)
        layout = lay_out(self._source, header, evaluator, self._labels, self._reporter)
        before = self._reporter.found_any
        if not layout.items and not before:
            place = Place(self._source.first_line, 1)
            self._reporter.error("A003", place, f"block {self._source.name} has no instructions")
        for item in layout.items:
            self._emit(item, evaluator)
        self._check_symbols(header, evaluator, symbols)
        flow = self._check_flow(header, layout)
        stack = self._stack(header, evaluator, flow)
        self._check_inline(header, stack)
        self._reporter.raise_if_any()
        if header.inline:
            self._output.code += _RET.to_bytes(4, "little")
        return self._block(header, symbols, stack, flow)

    def _symbols(self, header: BlockHeader) -> dict[str, str]:
        """The link symbols of the names on the `call` and `global` lines."""
        symbols: dict[str, str] = {}
        evaluator = Evaluator(self._resolve, self._reporter, self._labels, {})
        for name, place in header.calls.items():
            value = evaluator.symbol(name, place)
            if value is not None:
                symbols[name] = value
        return symbols

    def _emit(self, item: Item, evaluator: Evaluator) -> None:
        output = self._output
        output.code.extend(bytes(item.offset - len(output.code)))
        if item.kind == "instruction":
            output.lines.append((item.offset, item.line))
            word = self._instruction(item, evaluator)
            output.code += word.to_bytes(4, "little")
        elif item.kind == "nops":
            output.lines.append((item.offset, item.line))
            output.code += _NOP.to_bytes(4, "little") * (item.size // 4)
        elif item.kind == "traps":
            output.code += bytes(item.size)
        else:
            output.data_ranges.append((item.offset, item.offset + item.size))
            output.code += self._data(item, evaluator).ljust(item.size, b"\0")[: item.size]

    def _instruction(self, item: Item, evaluator: Evaluator) -> int:
        """The word of an instruction, 0 after a report."""
        statement = item.statement
        known = statement.mnemonic in SYSTEM_MNEMONICS or statement.mnemonic in all_forms()
        if not known:
            self._unknown_mnemonic(item)
        try:
            operands = evaluator.operands(statement.operands, item.line, item.offset, item.variables)
        except Unusable:
            return 0
        if not known:
            return 0
        matcher = match_system if statement.mnemonic in SYSTEM_MNEMONICS else match_forms
        match = matcher(statement.mnemonic, operands)
        if not isinstance(match, Match):
            self._report_mismatch(item, match)
            return 0
        try:
            target = self._target(match, item, evaluator)
            return self._encode(item, match, target)
        except Unusable:
            return 0
        except TargetFault as fault:
            self._reporter.error("A204", item.place, f"`{statement.mnemonic}`: {fault}")
        except EncodingFault as fault:
            self._internal(item, str(fault))
        return 0

    def _unknown_mnemonic(self, item: Item) -> None:
        mnemonic = item.statement.mnemonic
        near = difflib.get_close_matches(mnemonic, [*all_forms(), *SYSTEM_MNEMONICS], n=3, cutoff=0.7)
        fix = f"did you mean {' or '.join(near)}?" if near else "docs/assembly.md lists the instructions"
        self._reporter.error("A101", item.place, f"{mnemonic} is no known instruction", fix=fix)

    def _report_mismatch(self, item: Item, mismatches: list[Mismatch]) -> None:
        best = max(mismatches, key=lambda mismatch: mismatch.rank)
        columns = _operand_columns(item.statement.operands)
        column = columns[best.operand] if best.operand < len(columns) else item.statement.column
        note = ""
        forms = all_forms().get(item.statement.mnemonic, [])
        if forms and best.code == "A103" and best.rank < UNPREDICTABLE_RANK:
            # The forms that came closest first; Rn stands for Wn or Xn.
            closest = sorted(zip(mismatches, forms, strict=True), key=lambda pair: -pair[0].rank)[:4]
            note = "closest: " + "; ".join(dict.fromkeys(str(form) for _, form in closest))
        vague = len(mismatches) > 1 and best.code == "A103" and best.rank <= 1
        message = "these operands fit no form" if vague else best.message
        self._reporter.error(best.code, Place(item.line, column), f"`{item.statement.mnemonic}`: {message}", note=note)

    def _target(self, match: Match, item: Item, evaluator: Evaluator) -> Value | None:
        if match.target is None:
            return None
        last = match.operands[-1]
        if isinstance(match.target, Address) and isinstance(last, Word):
            column = _operand_columns(item.statement.operands)[-1]
            return evaluator.address(last, item.line, column, item.offset, item.variables)
        assert isinstance(match.target, Address | PageOffset)
        return match.target.value

    def _encode(self, item: Item, match: Match, target: Value | None) -> int:
        word = encode(match)
        text = canonical_text(match)
        shown = text
        if target is not None:
            placed = place_target(word, match.target_kind, target, item.offset)
            word = placed.word
            if placed.relocation is not None:
                self._output.relocations.append(placed.relocation)
            head, _, tail = text.rpartition("#0x0")
            is_page_offset = match.target_kind.startswith("lo12")
            if not is_page_offset:
                shown = f"{head}#{placed.shown:#x}" if placed.shown >= 0 else f"{head}#-{-placed.shown:#x}"
            text = head + (":lo12:" if is_page_offset else "") + self._target_name(target) + tail
        difference = mismatch(shown, word, item.offset, match)
        if difference:
            self._internal(item, f"`{shown}` became {word:#010x}, but {difference}")
        self._output.matches[item.offset] = (item, match, target)
        self._output.instructions.append(InstructionLine(item.offset, text, item.line))
        return word

    def _target_name(self, target: Value) -> str:
        addend = f"+{target.number:#x}" if target.number else ""
        if target.symbol:
            return target.symbol + addend
        names = [name for name, offset in self._labels.named.items() if offset == target.number]
        return names[0] if names else f".L{target.number:x}"

    def _internal(self, item: Item, message: str) -> None:
        self._reporter.error(
            "A901",
            item.place,
            message,
            note="the encoder and the decoder disagree: a defect of the compiler, not of the block",
            fix="please report this line; another spelling of the instruction may work meanwhile",
        )

    def _data(self, item: Item, evaluator: Evaluator) -> bytes:
        statement = item.statement
        if statement.mnemonic in (".ascii", ".asciz") and isinstance(statement.operands[0], StringSyntax):
            return string_bytes(statement.operands[0].text)
        if statement.mnemonic not in (".byte", ".hword", ".word", ".quad"):
            return b""
        size, result = item.size // max(len(statement.operands), 1), b""
        for index, syntax in enumerate(statement.operands):
            offset = item.offset + index * size
            try:
                value = evaluator.datum(syntax, item.line, item.offset, item.variables)
                data, relocation = place_datum(value, size, offset)
            except Unusable:
                data, relocation = bytes(size), None
            except TargetFault as fault:
                self._reporter.error("A104", Place(item.line, syntax.column), f"`{statement.mnemonic}`: {fault}")
                data, relocation = bytes(size), None
            result += data
            if relocation is not None:
                self._output.relocations.append(relocation)
        return result

    def _check_symbols(self, header: BlockHeader, evaluator: Evaluator, symbols: dict[str, str]) -> None:
        for name, place in header.calls.items():
            if name in symbols and symbols[name] not in evaluator.used_symbols:
                self._reporter.error(
                    "A306",
                    place,
                    f"call {name} is declared, but the block never uses it",
                    fix="remove it from the call line",
                )
        for name, place in header.exports.items():
            if name not in self._labels.named:
                self._reporter.error("A201", place, f"global {name} is no label of the block")

    def _check_flow(self, header: BlockHeader, layout: Layout) -> DataFlow:
        """The data-flow checks; skipped where an instruction is missing for another error."""
        wanted = [item for item in layout.items if item.kind == "instruction"]
        complete = len(self._output.matches) == len(wanted) and not self._reporter.found_any
        steps = self._steps(layout) if complete else []
        index_at = {step.offset: index for index, step in enumerate(steps)}
        starts = {0, *layout.slots, *(self._labels.named.get(name, 0) for name in header.exports)}
        entries = [index_at[offset] for offset in sorted(starts) if offset in index_at]
        flow = DataFlow(header, steps, entries, self._reporter)
        flow.run()
        return flow

    def _steps(self, layout: Layout) -> list[Step]:
        matches = self._output.matches
        index_at = {offset: index for index, offset in enumerate(sorted(matches))}
        text_at = {line.offset: line.text for line in self._output.instructions}
        padded = {item.offset: item.offset + item.size for item in layout.items if item.kind == "nops"}
        steps: list[Step] = []
        for offset in sorted(matches):
            item, match, target = matches[offset]
            following = padded.get(offset + 4, offset + 4)
            is_local = target is not None and target.is_local and match.target_kind not in ("literal", "page")
            lands = index_at.get(target.number) if target is not None and is_local else None
            branches = match.form.effects & {"jump", "branch", "call"}
            steps.append(
                Step(
                    offset,
                    item.place,
                    text_at[offset],
                    match,
                    index_at.get(following),
                    lands,
                    target is not None and not target.is_local,
                    bool(branches) and is_local and lands is None,
                )
            )
        return steps

    def _stack(self, header: BlockHeader, evaluator: Evaluator, flow: DataFlow) -> int:
        if not header.stack or self._reporter.found_any:
            return flow.stack_bytes
        try:
            syntax = parse_line(f".skip {header.stack}").statement
            assert syntax is not None
            value = evaluator.datum(syntax.operands[0], header.stack_place.line, 0, {})
        except Unusable:
            return 0
        if flow.stack_bytes > value.number or (value.number > flow.stack_bytes and not header.naked):
            self._reporter.error(
                "A309",
                header.stack_place,
                f"stack {value.number:#x} is declared, but the block moves sp by {flow.stack_bytes:#x} bytes",
                fix=f"write: stack {flow.stack_bytes:#x}",
            )
        return value.number

    def _check_inline(self, header: BlockHeader, stack: int) -> None:
        if not header.inline:
            return
        place = Place(self._source.first_line, 1)
        allowed: list[Item] = []
        for _, (item, match, _) in sorted(self._output.matches.items()):
            effects = match.form.effects
            if effects & {"call", "ret"} or match.form.mnemonic.startswith("eret"):
                self._reporter.error("A310", item.place, f"an inline block may not contain {item.statement.mnemonic}")
            else:
                allowed.append(item)
        if self._output.relocations or header.calls:
            self._reporter.error("A310", place, "an inline block may not refer to symbols")
        if stack:
            self._reporter.error("A310", place, f"an inline block may not use the stack, this one uses {stack} bytes")
        if self._output.data_ranges:
            self._reporter.error("A310", place, "an inline block may not hold data")
        if "x30" in header.input_resources | header.output_resources | header.clobbers:
            self._reporter.error("A310", place, "an inline block may not use x30: only a call would set it")
        if len(allowed) > 1:
            self._reporter.error(
                "A310",
                allowed[1].place,
                f"an inline block is one instruction, this one has {len(allowed)}",
                fix="leave out `inline` and end it with ret: then it is called",
            )

    def _block(self, header: BlockHeader, symbols: dict[str, str], stack: int, flow: DataFlow) -> AssembledBlock:
        source, output = self._source, self._output
        return AssembledBlock(
            name=source.name,
            file=source.file,
            first_line=source.first_line,
            section=header.section or f".text.{source.name}",
            alignment=header.alignment,
            code=bytes(output.code),
            relocations=tuple(output.relocations),
            lines=tuple(output.lines),
            instructions=tuple(output.instructions),
            inputs=tuple(header.inputs),
            outputs=tuple(header.outputs),
            clobbers=frozenset(header.clobbers),
            calls=tuple(dict.fromkeys(symbols.values())),
            labels=dict(self._labels.named),
            exports={name: self._labels.named[name] for name in header.exports},
            data_ranges=tuple(output.data_ranges),
            stack_bytes=stack,
            frame_rows=flow.frame_rows(),
            naked=header.naked,
            inline=header.inline,
        )


def _operand_columns(operands: tuple[OperandSyntax, ...]) -> list[int]:
    return [operand.column for operand in operands]


def assemble(source: BlockSource, resolve: Resolve) -> AssembledBlock:
    """Assemble a block. Raises AsmErrors with all that is wrong with it.

    `resolve(text)` evaluates the text of a `{binding}` and the names of `call` lines: a number, or a
    `SymbolReference` for anything with an address. It raises ResolveError where it cannot.
    """
    return _Assembler(source, resolve).run()
