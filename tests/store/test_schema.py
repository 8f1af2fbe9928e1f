async def test_a(database):
    assert (await database.read(__import__("sqlalchemy").text("select version_num from alembic_version")))[0][
        0
    ] == "0001"
