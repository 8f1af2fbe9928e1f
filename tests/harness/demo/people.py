"""Invented patients, as the front desk would register them; the vendors' screens show a dozen of them."""

_NAMES = (
    "Ada Abel", "Ben Brook", "Cleo Castle", "Dana Drew", "Eli Ellis", "Fay Frost", "Gus Grove", "Hana Hale",
    "Ivo Irving", "June Joyner", "Kai Keats", "Lena Lark", "Milo Moss", "Nora North", "Omar Olsen", "Pia Plum",
    "Quin Quist", "Rosa Reed", "Seth Stone", "Tess Tate", "Uma Usher", "Vic Vale", "Wes Webb", "Xenia Xu", "Yara York",
)  # fmt: skip

PEOPLE = [
    {
        "first_name": name.split()[0],
        "last_name": name.split()[1],
        "date_of_birth": f"19{60 + at}-0{1 + at % 9}-1{at % 9}",
        "gender": ("Female", "Male")[at % 2],
        "cell_phone": f"(555) 010-0{100 + at}",
        "email": f"{name.split()[0].lower()}@example.com",
        "address": f"{10 + at} Elm Street",
        "city": "Springfield",
        "state": "IL",
        "zip_code": "62701",
    }
    for at, name in enumerate(_NAMES)
]
DOZEN = (*_NAMES[:11], "Omar Olsen")


def name_of(person: dict[str, str]) -> str:
    """Give a person's name as people say it."""
    return f"{person['first_name']} {person['last_name']}"
