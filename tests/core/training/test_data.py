"""Folders of pictures, and the draws of a training step."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from var_core.training.data import (
    BatchSampler,
    Classes,
    Divided,
    PictureSet,
    data_digest,
    listing,
    load_split,
    split_pictures,
)

ROWS = [
    {"id": 1, "folder": "pine", "name": "Pine Tree", "group": "plant"},
    {"id": 0, "folder": "red-fox", "name": "Fox", "group": "animal"},
]


def picture(path, seed: int = 0, size: tuple[int, int] = (12, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(256, size=(*size, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def root(tmp_path):
    """Two classes, three pictures each, for training."""
    for folder in ("red-fox", "pine"):
        for number, suffix in enumerate((".png", ".jpg", ".WEBP")):
            picture(tmp_path / "train" / folder / f"{number}{suffix}", seed=number)
    return tmp_path


def loaded(root, split: str = "train", side: int = 8) -> PictureSet:
    *fractions, pictures = load_split(root, split, Classes.of(root), side)
    assert fractions == sorted(fractions) and all(0 <= done <= 1 for done in fractions)
    return pictures


def test_plain_folders_are_classes_in_alphabetical_order(root):
    assert Classes.of(root) == Classes(("pine", "red-fox"), ("Pine", "Red Fox"), ("all", "all"))


def test_classes_json_gives_names_groups_and_order(root):
    (root / "classes.json").write_text(json.dumps(ROWS))
    assert Classes.of(root) == Classes(("red-fox", "pine"), ("Fox", "Pine Tree"), ("animal", "plant"))


@pytest.mark.parametrize(
    "text", ["{", "3", "[3]", '{"pine": 1}', json.dumps([{"id": 0, "folder": "pine"}]), json.dumps([ROWS[0]])]
)
def test_a_damaged_classes_json_says_what_belongs_in_it(root, text):
    (root / "classes.json").write_text(text)
    with pytest.raises(ValueError, match=r"classes\.json: .*id.*folder.*name.*group"):
        Classes.of(root)


def test_a_missing_split_says_where_pictures_belong(root, tmp_path):
    with pytest.raises(ValueError, match=r"no folder 'val'\. Pictures belong in train/<class>/ and val/<class>/"):
        loaded(root, "val")
    with pytest.raises(ValueError, match="no folder 'train'"):
        Classes.of(tmp_path / "nowhere")


def test_no_class_folders_says_what_to_do(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(ValueError, match="no class folders in train/; put pictures into"):
        Classes.of(tmp_path)


def test_a_class_without_pictures_is_named(root):
    (root / "train" / "oak").mkdir()
    (root / "train" / "oak" / "notes.txt").write_text("no picture")
    kinds = r"\.bmp, \.gif, \.jpeg, \.jpg, \.png, \.tif, \.tiff, \.webp"
    with pytest.raises(ValueError, match=rf"oak: class without pictures\. Add some \({kinds}\)"):
        loaded(root)


def test_a_class_without_pictures_says_what_is_there_instead(root):
    for name in ("1.heic", "2.heic", "notes.txt", ".hidden.png"):
        picture(root / "train" / "oak" / "0.png").rename(root / "train" / "oak" / name)
    with pytest.raises(ValueError, match=r"drop it\. There are only \.heic, \.txt\.$"):
        loaded(root)


def test_hidden_folders_and_what_other_programs_leave_are_no_classes_and_no_pictures(root):
    before = loaded(root)
    for folder in (".ipynb_checkpoints", ".git", "__MACOSX", "@eaDir"):
        picture(root / "train" / folder / "0.png")
        picture(root / "train" / "pine" / folder / "0.png")
    picture(root / "train" / "pine" / "0.png").rename(root / "train" / "pine" / "._0.png")
    picture(root / "train" / "pine" / "0.png")
    for folder in ("train", "train/pine"):
        (root / folder / "Thumbs.db").write_bytes(b"thumbnails")
    assert Classes.of(root).folders == ("pine", "red-fox")
    assert torch.equal(loaded(root).pixels, before.pixels) and loaded(root).unreadable == ()


def test_pictures_in_folders_within_a_class_belong_to_it(root):
    picture(root / "train" / "pine" / "north" / "deep" / "9.png")
    pictures = loaded(root)
    assert pictures.labels.tolist() == [0] * 4 + [1] * 3 and pictures.unreadable == ()


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".tiff", ".gif", ".TIFF"])
def test_pictures_of_other_kinds_are_read(tmp_path, suffix):
    path = picture(tmp_path / "train" / "a" / f"0{suffix}", size=(8, 8))
    with Image.open(path) as wanted:
        assert np.array_equal(loaded(tmp_path).pixels[0], wanted.convert("RGB"))


@pytest.fixture
def plain(tmp_path):
    """Classes of ten and of five pictures, and a hidden one, with no train/ and val/ around them."""
    for folder, count in (("pine", 10), ("red-fox", 5), (".cache", 1)):
        for number in range(count):
            picture(tmp_path / folder / ("a" if number % 2 else "") / f"{number}.png", seed=number)
    return tmp_path


def files(source: Divided, split: str) -> list:
    return [path for path, _ in listing(source, split, Classes.of(source))]


def test_a_folder_of_classes_is_divided_by_share_and_seed(plain):
    first, again, other = (Divided(plain, 0.2, seed) for seed in (0, 0, 1))
    train, val = files(first, "train"), files(first, "val")
    assert Classes.of(first).folders == ("pine", "red-fox")
    assert [label for _, label in listing(first, "val", Classes.of(first))] == [0, 0, 1]
    assert len({*train, *val}) == 15 and len(train) == 12
    assert (set(split_pictures(first, "train")), set(split_pictures(first, "val"))) == (set(train), set(val))
    assert files(again, "val") == val != files(other, "val")
    assert data_digest(first, Classes.of(first)) == data_digest(again, Classes.of(again))
    assert data_digest(first, Classes.of(first)) != data_digest(other, Classes.of(other))


def test_a_divided_folder_is_read_as_if_it_had_both(plain):
    source = Divided(plain, 0.2)
    *_, val = load_split(source, "val", Classes.of(source), 8)
    assert val.labels.tolist() == [0, 0, 1] and val.unreadable == ()


def test_a_folder_with_train_alone_is_divided_too(root):
    source = Divided(root, 0.34)
    assert [len(files(source, split)) for split in ("train", "val")] == [4, 2]
    assert Classes.of(source).folders == ("pine", "red-fox")


def test_what_cannot_be_divided_says_why(plain):
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"split .* is out of range: choose the share for val"):
            Divided(plain, share)
    picture(plain / "oak" / "0.png")
    with pytest.raises(ValueError, match=r"oak: a single picture cannot be divided"):
        files(Divided(plain, 0.1), "val")
    (plain / "val").mkdir()
    with pytest.raises(ValueError, match=r"has a folder val/ already: leave out --split"):
        Divided(plain, 0.1)


def test_a_split_holds_every_picture_with_its_label(root):
    pictures = loaded(root)
    assert len(pictures) == 6 and pictures.unreadable == ()
    assert pictures.pixels.shape == (6, 8, 8, 3) and pictures.pixels.dtype == torch.uint8
    assert pictures.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_square_picture_is_held_as_it_is(tmp_path):
    path = picture(tmp_path / "train" / "a" / "0.png", size=(8, 8))
    assert loaded(tmp_path).pixels[0].numpy().tobytes() == Image.open(path).tobytes()


def test_a_photo_is_turned_upright(tmp_path):
    sideways, exif = Image.new("RGB", (8, 8), "black"), Image.Exif()
    sideways.paste("white", (0, 0, 8, 4))  # the upper half
    exif[0x0112] = 6  # shown turned right by a quarter: the right half
    path = picture(tmp_path / "train" / "a" / "0.png")
    sideways.save(path, exif=exif)
    pixels = loaded(tmp_path).pixels[0]
    assert (pixels[:, 4:] == 255).all() and (pixels[:, :4] == 0).all()


def test_unreadable_pictures_are_skipped_and_named(root):
    all_of_them = loaded(root)
    cut, empty = root / "train" / "pine" / "1.jpg", root / "train" / "red-fox" / "0.png"
    cut.write_bytes(cut.read_bytes()[:-100])
    empty.write_bytes(b"")
    pictures = loaded(root)
    assert pictures.unreadable == (str(cut), str(empty))
    assert pictures.labels.tolist() == [0, 0, 1, 1]
    assert torch.equal(pictures.pixels, all_of_them.pixels[[0, 2, 4, 5]])


def test_a_picture_with_damaged_exif_does_not_end_the_reading(root):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "description"
    path = root / "train" / "pine" / "1.jpg"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02"))  # a width that is a text
    assert path.read_bytes() != sound
    assert loaded(root).unreadable == (str(path),)


def test_a_split_of_which_nothing_can_be_read_is_refused(root):
    for path in (root / "train").rglob("*.*"):
        path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="none of its 6 pictures could be read"):
        loaded(root)


def test_images_are_floats_and_flips_mirror_left_and_right(root):
    pictures = loaded(root)
    rows = torch.tensor([4, 0, 4])
    plain = pictures.images(rows)
    assert plain.shape == (3, 3, 8, 8) and -1 <= plain.min() and plain.max() <= 1
    flipped = pictures.images(rows, torch.tensor([True, False, False]))
    assert torch.equal(flipped[0], plain[0].flip(-1)) and not torch.equal(flipped[0], plain[0])
    assert torch.equal(flipped[1:], plain[1:])


def test_the_first_pictures_are_spread_over_the_classes(root):
    pictures = loaded(root)
    assert pictures.spread(2).labels.tolist() == [0, 1]
    assert torch.equal(pictures.spread(100).pixels, pictures.pixels)


CLASSES = Classes(("a", "b", "c", "d"), ("A", "B", "C", "D"), ("small", "large", "small", "absent"))
LABELS = torch.tensor([0] * 3 + [1] * 90 + [2] * 7)


def drawn(seed: int, step: int, size: int = 16) -> list[int]:
    sampler = BatchSampler.over(LABELS, CLASSES, seed)
    return sampler.batch(sampler.rng(step), size).tolist()


def test_groups_come_in_the_order_of_their_names_and_empty_ones_not_at_all():
    names = [f"group {number}" for number in range(9, -1, -1)]
    classes = Classes(tuple(names), tuple(names), tuple(names))
    groups = BatchSampler.over(torch.arange(9), classes, seed=0).groups  # no picture of the last class, "group 0"
    assert [rows.tolist() for rows in groups] == [[row] for row in range(8, -1, -1)]


def test_a_draw_depends_on_seed_and_step_alone():
    assert drawn(1, 5) == drawn(1, 5)
    assert drawn(1, 5) != drawn(1, 6) != drawn(2, 6)


@pytest.mark.parametrize("mirror", [True, False])
def test_half_of_the_pictures_are_mirrored_or_none(mirror):
    sampler = BatchSampler.over(LABELS, CLASSES, 0, mirror)
    rng = sampler.rng(0)
    found = sampler.mirrored(rng, 10_000)
    assert 4_800 < found.sum() < 5_200 if mirror else not found.any()
    assert rng.random() == BatchSampler.over(LABELS, CLASSES, 0).rng(0).random(10_001)[-1]  # as much chance is used


def test_groups_are_drawn_equally_and_pictures_equally_within_a_group():
    count = 20_000
    found = torch.bincount(torch.tensor(drawn(0, 0, count)), minlength=len(LABELS))
    small = LABELS != 1
    expected = torch.where(small, count / 2 / 10, count / 2 / 90)
    chi_square = ((found - expected).square() / expected).sum()
    assert chi_square < 149  # the 99.9th percentile at 99 degrees of freedom is 148.2
