"""Staff sign-in: sending a browser to DrChrono, and what comes of whom it sends back.

Let in are active users of the connected practice with a role by the settings: one that names them, else that of every
doctor or of every member of staff. The practice is the one whose consent the service was connected with, which the
database remembers for good. What a person is at DrChrono is asked when they sign in; a session ends within half a day,
so whoever is suspended there is out by then.
"""

from app.errors import Unauthorized
from app.operations import federated_sign_in
from app.operations.accounts import Role
from app.operations.federated_sign_in import SignInRefusal, SignInReturn, SignInSuccess
from app.operations.sign_in import IdentityProvider, SignIn
from app.runtime import Runtime
from app.store.vendor_tokens import VendorTokens
from app.sync.model import Side
from app.vendors.drchrono.staff_sign_in import StaffMember, StaffSignIn
from app.vendors.drchrono.wire import User

_DRCHRONO = IdentityProvider.DRCHRONO
_SORTS = {(True, False): "doctor", (False, True): "staff"}  # is it a doctor, is it staff -> what the settings say


async def begin(runtime: Runtime, wanted: str) -> tuple[str, str]:
    """Give the address to send a browser to, and what its cookie must hold."""
    begun = federated_sign_in.begin(wanted)
    address = _client(runtime).address(redirect_uri(runtime), begun.state)
    return address, federated_sign_in.seal(runtime, _DRCHRONO, begun)


async def finish(runtime: Runtime, sign_in: SignIn, back: SignInReturn) -> SignInSuccess | SignInRefusal:
    """Give who comes back signed in, or why nobody does.

    Raises  Unavailable, OutcomeUnknown; Unauthorized when DrChrono's answer does not count; OtherInstance,
            StoreUnavailable
    """
    begun = federated_sign_in.match(runtime, _DRCHRONO, back)
    if isinstance(begun, SignInRefusal):
        return begun
    practice = await VendorTokens(runtime.database, runtime.vault, Side.DRCHRONO).practice()
    if practice is None:
        text = "Nobody has connected a DrChrono practice yet, so it cannot be said whose staff may sign in."
        return SignInRefusal("No practice is connected", f"{text} Sign in with a secret and connect it.", 403)
    member = await _client(runtime).member(redirect_uri(runtime), back.code)
    if (refusal := _refusal(member, practice)) is not None:
        return refusal
    user = member.user
    if (role := _role(runtime, user)) is None:
        return SignInRefusal("You have no role here", _how_to_get_a_role(user), 403, name_of(user))
    return federated_sign_in.admit(sign_in, _DRCHRONO, role, name_of(user), begun.wanted)


def redirect_uri(runtime: Runtime) -> str:
    """Give the address DrChrono sends a browser back to; it must be registered there letter by letter."""
    return federated_sign_in.redirect_uri(runtime, _DRCHRONO)


def name_of(user: User) -> str:
    """Give how session and audit name a user: by the name, which may change, and the id, which does not."""
    return f"{user.username} (DrChrono {user.id})"


def _client(runtime: Runtime) -> StaffSignIn:
    assert runtime.staff_sign_in is not None
    return runtime.staff_sign_in


def _refusal(member: StaffMember, practice: str) -> SignInRefusal | None:
    """Give why a user may not be let in, whatever their role; None where they may."""
    user = member.user
    if not user.username or not federated_sign_in.is_usable(name_of(user)):
        raise Unauthorized(Side.DRCHRONO.value, "GET /api/users/current", code="NO_USER_NAME")
    if user.practice != practice:
        text = "You signed in at DrChrono as a user of another practice than the one that is connected here."
        return SignInRefusal("This is another practice", f"{text} Sign out there first.", 403, name_of(user))
    if member.is_active is None:
        text = "DrChrono did not show whether your account is active. Sign in again, and leave every box ticked there."
        return SignInRefusal("Your account could not be looked at", text, 403, name_of(user))
    if not member.is_active:
        text = "DrChrono says that your account is suspended. Ask an administrator of the practice."
        return SignInRefusal("Your account is suspended", text, 403, name_of(user))
    return None


def _role(runtime: Runtime, user: User) -> Role | None:
    """Give a user's role, by name or as everybody of that sort; whom DrChrono calls both or neither is of none."""
    roles, named = runtime.settings.drchrono_roles, user.username not in _SORTS.values()
    found = (roles.get(user.username) if named else None) or roles.get(_SORTS.get((user.is_doctor, user.is_staff), ""))
    return Role(found) if found else None


def _how_to_get_a_role(user: User) -> str:
    """Give what to ask for."""
    given = f"{user.username}=viewer to read, or {user.username}=operator to act"
    return f"Ask whoever runs this service to add to DRCHRONO_ROLES {given}; then sign in again."
