"""Encryption at rest: the newest key seals, every configured key opens, and what no key opens says so."""

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Disposition
from app.store.encryption import Undecryptable, Vault

OLD, NEW, OTHER = (Fernet.generate_key() for _ in range(3))
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(document=DOCUMENTS)
def test_a_document_comes_out_as_it_went_in(document):
    vault = Vault((NEW,))

    assert vault.open(vault.seal(document)) == document


@given(raw=st.binary())
def test_bytes_come_out_as_they_went_in(raw):
    vault = Vault((NEW,))

    assert vault.open_bytes(vault.seal_bytes(raw)) == raw


def test_what_is_sealed_does_not_show_what_it_holds():
    sealed = Vault((NEW,)).seal({"first_name": "Canary"})

    assert sealed.isascii()
    assert "Canary" not in sealed


def test_equal_documents_do_not_look_equal():
    vault = Vault((NEW,))

    assert vault.seal("Canary") != vault.seal("Canary")


def test_what_an_old_key_sealed_still_opens_when_a_new_one_is_in_front():
    sealed = Vault((OLD,)).seal("Canary")

    assert Vault((NEW, OLD)).open(sealed) == "Canary"


def test_the_newest_key_seals():
    sealed = Vault((NEW, OLD)).seal("Canary")

    assert Vault((NEW,)).open(sealed) == "Canary"


def test_only_what_the_newest_key_opens_by_itself_is_current():
    vault = Vault((NEW, OLD))

    assert vault.is_current(vault.seal("Canary"))
    assert not vault.is_current(Vault((OLD,)).seal("Canary"))
    assert not vault.is_current("no token")


def test_what_was_sealed_again_opens_after_the_old_key_is_dropped():
    sealed = Vault((OLD,)).seal("Canary")

    again = Vault((NEW, OLD)).reseal(sealed)

    assert Vault((NEW,)).open(again) == "Canary"


@pytest.mark.parametrize("read", [Vault.open, Vault.open_bytes], ids=["document", "bytes"])
@pytest.mark.parametrize(
    "sealed", [Vault((OTHER,)).seal("Canary"), "", "no token", Vault((NEW,)).seal("Canary")[:-4]],
    ids=["a key we lack", "empty", "no token", "cut"],
)  # fmt: skip
def test_what_no_key_opens_says_which_setting_to_look_at(read, sealed):
    with pytest.raises(Undecryptable, match="ENCRYPTION_KEYS"):
        read(Vault((NEW, OLD)), sealed)


def test_what_no_key_opens_cannot_be_sealed_again():
    with pytest.raises(Undecryptable):
        Vault((NEW,)).reseal(Vault((OTHER,)).seal("Canary"))


def test_a_changed_byte_is_noticed():
    sealed = Vault((NEW,)).seal("Canary")
    middle = len(sealed) // 2

    with pytest.raises(Undecryptable):
        Vault((NEW,)).open(sealed[:middle] + ("A" if sealed[middle] != "A" else "B") + sealed[middle + 1 :])


def test_what_cannot_be_opened_waits_until_the_key_is_back():
    assert Undecryptable.disposition is Disposition.RETRY
