"""Encryption at rest: the newest key seals, every configured key opens, and what no key opens says so."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Disposition
from app.store.encryption import Undecryptable, Vault

OLD, NEW, OTHER = (Fernet.generate_key() for _ in range(3))
HERE, ELSEWHERE = "deliveries.body 01A", "deliveries.body 01B"
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(document=DOCUMENTS)
def test_a_document_comes_out_as_it_went_in(document):
    vault = Vault((NEW,))

    assert vault.open(vault.seal(document, HERE), HERE) == document


@given(raw=st.binary())
def test_bytes_come_out_as_they_went_in(raw):
    vault = Vault((NEW,))

    assert vault.open_bytes(vault.seal_bytes(raw, HERE), HERE) == raw


def test_what_is_sealed_does_not_show_what_it_holds():
    sealed = Vault((NEW,)).seal({"first_name": "Canary"}, HERE)

    assert sealed.isascii()
    assert "Canary" not in sealed


def test_equal_documents_do_not_look_equal():
    vault = Vault((NEW,))

    assert vault.seal("Canary", HERE) != vault.seal("Canary", HERE)


def test_what_an_old_key_sealed_still_opens_when_a_new_one_is_in_front():
    sealed = Vault((OLD,)).seal("Canary", HERE)

    assert Vault((NEW, OLD)).open(sealed, HERE) == "Canary"


def test_the_newest_key_seals():
    sealed = Vault((NEW, OLD)).seal("Canary", HERE)

    assert Vault((NEW,)).open(sealed, HERE) == "Canary"


def test_only_what_the_newest_key_opens_by_itself_is_current():
    vault = Vault((NEW, OLD))

    assert vault.is_current(vault.seal("Canary", HERE), HERE)
    assert not vault.is_current(Vault((OLD,)).seal("Canary", HERE), HERE)
    assert not vault.is_current("no token", HERE)


def test_what_was_sealed_again_opens_after_the_old_key_is_dropped():
    sealed = Vault((OLD,)).seal("Canary", HERE)

    again = Vault((NEW, OLD)).reseal(sealed, HERE)

    assert Vault((NEW,)).open(again, HERE) == "Canary"


@pytest.mark.parametrize("read", [Vault.open, Vault.open_bytes], ids=["document", "bytes"])
@pytest.mark.parametrize(
    "sealed", [Vault((OTHER,)).seal("Canary", HERE), Fernet(OTHER).encrypt(b"1").decode(), "", "no token",
               Vault((NEW,)).seal("Canary", HERE)[:-4]],
    ids=["a key we lack", "a key we lack, unbound", "empty", "no token", "cut"],
)  # fmt: skip
def test_what_no_key_opens_says_which_setting_to_look_at(read, sealed):
    with pytest.raises(Undecryptable, match="ENCRYPTION_KEYS"):
        read(Vault((NEW, OLD)), sealed, HERE)


def test_what_no_key_opens_cannot_be_sealed_again():
    with pytest.raises(Undecryptable):
        Vault((NEW,)).reseal(Vault((OTHER,)).seal("Canary", HERE), HERE)


def test_a_changed_byte_is_noticed():
    sealed = Vault((NEW,)).seal("Canary", HERE)
    middle = len(sealed) // 2

    with pytest.raises(Undecryptable):
        Vault((NEW,)).open(sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :], HERE)


def test_what_cannot_be_opened_waits_until_the_key_is_back():
    assert Undecryptable.disposition is Disposition.RETRY


@given(raw=st.binary(), place=st.text(alphabet=st.characters(codec="utf-8")))
def test_what_is_sealed_for_one_place_opens_at_no_other(raw, place):
    vault = Vault((NEW, OLD))

    with pytest.raises(Undecryptable, match="moved here"):
        vault.open_bytes(vault.seal_bytes(raw, f"{place}x"), place)


def test_what_an_older_version_sealed_still_opens():
    assert Vault((NEW, OLD)).open(Fernet(OLD).encrypt(b'"Canary"').decode(), HERE) == "Canary"


def test_what_an_older_version_sealed_is_not_current_under_whichever_key():
    assert not Vault((NEW,)).is_current(Fernet(NEW).encrypt(b'"Canary"').decode(), HERE)


def test_what_lies_elsewhere_is_not_current_here():
    vault = Vault((NEW,))

    assert not vault.is_current(vault.seal("Canary", ELSEWHERE), HERE)


def test_what_goes_onto_another_place_opens_there_alone():
    vault = Vault((NEW,))

    there = vault.reseal(vault.seal("Canary", HERE), HERE, ELSEWHERE)

    assert vault.open(there, ELSEWHERE) == "Canary"
    with pytest.raises(Undecryptable):
        vault.open(there, HERE)


def test_an_older_text_dressed_up_as_a_bound_one_opens_nowhere():
    current = Vault((NEW,)).seal("Canary", HERE)
    dressed = current.rpartition(".")[0] + "." + Fernet(NEW).encrypt(b'"Canary"').decode()

    with pytest.raises(Undecryptable):
        Vault((NEW,)).open(dressed, HERE)
