"""A minute of mixed load, faults and odd things beside the other tests; `make soak` goes on for as long as you like."""


def test_what_web_and_worker_hold_comes_to_rest_and_neither_ends(soaking):
    code = soaking.process.wait()

    assert code == 0, soaking.log.read_text()
