from colloque.rooms.media import files_in


def test_thumbnails_edits_and_plain_files_are_found_once() -> None:
    content = {
        "url": "mxc://s/plain",
        "file": {"url": "mxc://s/cipher"},
        "info": {"thumbnail_file": {"url": "mxc://s/thumb"}, "thumbnail_url": "mxc://s/plain"},
        "m.new_content": {"file": {"url": "mxc://s/edited"}},
        "odd": [["mxc://s/deep"]],
        "body": "mxc:// is not one, nor mxc://s",
    }
    assert set(files_in(content)) == {f"mxc://s/{n}" for n in ("plain", "cipher", "thumb", "edited", "deep")}


def test_any_json_is_read() -> None:
    assert files_in(None) == ()
    assert files_in([1, 2.5, True, {"a": None}]) == ()
