"""What a manifest asks not to be told, in comments and in an annotation."""

import pytest

from manifest.helpers import limit
from trafficcore import manifest

ZERO = "{fill_interval: 1s, quota: 0}"


def codes(problems):
    return [problem.code for problem in problems]


def report(text):
    found = manifest.check(text)
    return codes(found.problems), codes(found.silenced)


def words(text):
    return [problem.message for problem in manifest.check(text).problems]


def with_comment(comment):
    return limit("\n    fill_interval: 1s\n    quota: 0  " + comment)


def test_a_comment_on_the_line_of_a_problem():
    assert report(with_comment("")) == (["TC102"], [])
    assert report(with_comment("# trafficcore: ignore TC102")) == ([], ["TC102"])


@pytest.mark.parametrize(
    "comment",
    ["# trafficcore: ignore TC101, TC102", "# trafficcore: ignore TC101 TC102",
     "#trafficcore:ignore TC102,TC101", "# trafficcore: ignore: TC102",
     "# trafficcore: ignore TC102 # closed on purpose"],
)  # fmt: skip
def test_spellings_of_a_comment(comment):
    assert report(with_comment(comment)) == ([], ["TC102"])


def test_a_comment_that_only_speaks_of_it_silences_nothing():
    comment = "# closed on purpose; see trafficcore: ignore TC102"
    assert report(with_comment(comment)) == (["TC102"], [])


def test_another_code_silences_nothing():
    assert report(with_comment("# trafficcore: ignore TC101")) == (["TC102"], [])


@pytest.mark.parametrize(
    ("lines", "silenced"),
    [(["# trafficcore: ignore TC102"], True),
     (["# trafficcore: ignore TC102", "# because"], True),
     (["# trafficcore: ignore TC101", "# trafficcore: ignore TC102"], True),
     (["# trafficcore: ignore TC102", ""], False)],
)  # fmt: skip
def test_a_comment_alone_is_about_the_next_line_that_is_none(lines, silenced):
    above = "".join(f"    {line}\n" for line in lines)
    text = limit(f"\n    fill_interval: 1s\n{above}    quota: 0\n")
    assert report(text) == (([], ["TC102"]) if silenced else (["TC102"], []))


def test_a_comment_behind_a_value_is_not_about_the_next_line():
    text = limit("\n    fill_interval: 1s  # trafficcore: ignore TC102\n    quota: 0\n")
    assert report(text) == (["TC102"], [])


def test_a_whole_file(tmp_path):
    mark = "# trafficcore: ignore-file TC102\n"
    (tmp_path / "a.yaml").write_text(limit(ZERO) + mark)
    (tmp_path / "b.yaml").write_text(limit(ZERO).replace("name: it", "name: b"))
    found = manifest.check(tmp_path)
    assert [problem.file for problem in found.problems] == [f"{tmp_path}/b.yaml"]
    assert [problem.file for problem in found.silenced] == [f"{tmp_path}/a.yaml"]


@pytest.mark.parametrize(
    "text",
    ["body: '# trafficcore: ignore-file TC102'",
     'body: "a\n     # trafficcore: ignore-file TC102"',
     "body: |\n     # trafficcore: ignore-file TC102"],
)  # fmt: skip
def test_a_hash_inside_a_scalar_is_no_comment(text):
    spec = f"\n    fill_interval: 1s\n    quota: 0\n    custom_response_{text}\n"
    assert report(limit(spec)) == (["TC102"], [])


@pytest.mark.parametrize(
    "line",
    ["'a # b'  # trafficcore: ignore-file TC102", "x  # trafficcore: ignore-file TC102",
     "|\n     text\n    # trafficcore: ignore-file TC102"],
)  # fmt: skip
def test_a_comment_behind_a_scalar_is_one(line):
    spec = f"\n    fill_interval: 1s\n    quota: 0\n    custom_response_body: {line}\n"
    assert report(limit(spec)) == ([], ["TC102"])


def test_an_annotation_is_about_its_document_alone():
    noted = limit(ZERO).replace(
        "  namespace: shop\n",
        '  namespace: shop\n  annotations: {trafficcore/ignore: "TC102, TC906"}\n',
    )
    other = limit(ZERO).replace("name: it", "name: other")
    assert report(noted) == ([], ["TC102"])
    for text in (noted + "---\n" + other, other + "---\n" + noted):
        assert report(text) == (["TC102"], ["TC102"])


def test_an_annotation_of_an_item_of_a_list_on_one_line():
    def item(name, annotations):
        return (
            '{"apiVersion": "istio.alibabacloud.com/v1", "kind": "ASMLocalRateLimiter", '
            f'"metadata": {{"name": "{name}"{annotations}}}, '
            '"spec": {"configs": [{"limit": {"fill_interval": "1s", "quota": 0}}]}}'
        )

    noted = item("a", ', "annotations": {"trafficcore/ignore": "TC102"}')
    text = f'{{"kind": "List", "items": [{item("b", "")}, {noted}, {item("c", "")}]}}'
    found = manifest.check(text)
    assert [problem.path[:8] for problem in found.silenced] == ["items[1]"]
    assert [problem.path[:8] for problem in found.problems] == ["items[0]", "items[2]"]


def test_a_document_that_is_skipped_may_be_silenced_too():
    text = "kind: Pod\nmetadata: {annotations: {trafficcore/ignore: TC904}}\n"
    assert report(text) == ([], ["TC904"])


def test_a_fault_is_never_silenced():
    text = "# trafficcore: ignore-file TC004, TC005\n" + limit("{fill_interval: 1, quota: 5}")
    assert report(text)[0] == ["TC004", "TC603", "TC603"]
    assert words(text)[1] == "TC004 is the code of a fault, and a fault cannot be ignored"


@pytest.mark.parametrize(
    ("word", "message"),
    [("TC1O2", "there is no code 'TC1O2' to ignore; did you mean TC102?"),
     ("tc102", "there is no code 'tc102' to ignore; did you mean TC102?"),
     ("refuses-all", "there is no code 'refuses-all' to ignore; did you mean TC102?"),
     ("everything", "there is no code 'everything' to ignore"),
     ("", "names no code to ignore")],
)  # fmt: skip
def test_a_word_that_is_no_code_is_told(word, message):
    assert words(f"# trafficcore: ignore {word}\n{limit(ZERO)}") == [
        message, "0 refuses every request",
    ]  # fmt: skip


def test_a_wrong_word_is_told_where_it_stands():
    problem = manifest.check(limit(ZERO) + "  # trafficcore: ignore TC9\n").problems[0]
    assert (problem.line, problem.column) == (9, 3)
    text = limit(ZERO).replace(
        "  namespace", "  annotations:\n    trafficcore/ignore: TC9\n  namespace"
    )
    problem = manifest.check(text).problems[0]
    assert (problem.line, problem.column) == (6, 25)
    assert problem.path == "metadata.annotations['trafficcore/ignore']"


def test_another_word_behind_the_mark_is_nothing_to_us():
    assert report("# trafficcore: ignored TC102\n" + limit(ZERO)) == (["TC102"], [])
    assert report("# trafficcore: ignore-files TC102\n" + limit(ZERO)) == (["TC102"], [])


def test_a_file_with_a_fault_of_syntax_does_not_stumble_over_its_comments():
    assert report("# trafficcore: ignore TC102\na: {\n")[0] == ["TC002"]


def test_what_is_silenced_is_no_notice_of_the_engine_either():
    assert manifest.load(with_comment("# trafficcore: ignore TC102")).notices == ()
