"""Datasets that people have are read as they are published: their columns, their folders, their odd values.

What is read is the `real:` block of the manifest that ships for each; the files here have the shape of the makers' own.
"""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.core import resources
from synthgen.plan.manifest.fetch import Fetch
from synthgen.plan.real_index import Index
from synthgen.real.fetch import targets


def block(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The `real:` block of a manifest that ships; and its labels, scale and tones as the index wants them."""
    path = resources.find("manifests", name)
    assert path is not None
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    tones = document["skin_tones"]
    return document["real"], {"labels": document["labels"], "scale": tones["scale"], "tones": tones["values"]}


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., None]:
    """Write a table as it is published: a header, and rows of which only some cells matter here."""

    def table(name: str, header: str, *rows: dict[str, str]) -> None:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = header.split(",")
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(columns)
            lines.writerows([row.get(name, "") for name in columns] for row in rows)
            assert all(set(row) <= set(columns) for row in rows)

    return table


@pytest.fixture
def files(tmp_path: Path, write: Callable[..., None]) -> Callable[..., None]:
    return lambda *names: write(tmp_path / "data", *names)


def facts(found: Index) -> list[tuple[str, str, int, str]]:
    return [(one.id, one.label, one.tone, one.group) for one in found.sources]


def test_fitzpatrick17k(table: Any, files: Any, index: Callable[..., Index], tmp_path: Path) -> None:
    """Images by their md5, -1 for unknown types, dead links, and rows that a reviewer found wrong."""
    header = (
        "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,"
        "url_alphanum"
    )
    rows = [
        {"md5hash": "5e82a45bc5d78bd24ae9202d194423f8", "fitzpatrick_scale": "3", "label": "malignant melanoma"},
        {
            "md5hash": "fa2911a9b13b6f8af79cb700937cc14f",
            "fitzpatrick_scale": "-1",
            "label": "psoriasis",
            "qc": "1 Diagnostic",
        },
        {
            "md5hash": "d2bac3c9e4499032ca8e9b07c7d3bc40",
            "fitzpatrick_scale": "2",
            "label": "psoriasis",
            "qc": "3 Wrongly labelled",
        },
        {"md5hash": "0a94359e7eaacd7178e06b2823777789", "fitzpatrick_scale": "1", "label": "lichen planus"},
        {"md5hash": "a39ec3b1f22c08a421fa20535e037bba", "fitzpatrick_scale": "6", "label": "dariers disease"},
    ]
    table("fitzpatrick17k/fitzpatrick17k.csv", header, *rows)
    files(*(f"fitzpatrick17k/images/{row['md5hash']}.jpg" for row in rows[:3]))
    real, asked = block("fitzpatrick17k")
    found = index(real, root=tmp_path / "run", **asked)
    assert [(one.label, one.tone, one.fault.partition(" images/")[0]) for one in found.sources] == [
        ("lichen-planus", 1, "no file"),
        ("melanoma", 3, ""),
        ("psoriasis", 0, ""),
    ]
    assert found.left_out == {"no label of the manifest": 1, "not among the values of `where`": 1}


def test_ddi(table: Any, files: Any, index: Callable[..., Index]) -> None:
    """Pairs of Fitzpatrick types, a first column without a name, and diseases in slugs."""
    rows = [
        {
            "": "0",
            "DDI_ID": "1",
            "DDI_file": "000001.png",
            "skin_tone": "56",
            "malignant": "True",
            "disease": "melanoma-in-situ",
        },
        {
            "": "1",
            "DDI_ID": "2",
            "DDI_file": "000002.png",
            "skin_tone": "12",
            "malignant": "False",
            "disease": "folliculitis",
        },
        {"": "2", "DDI_ID": "3", "DDI_file": "000003.png", "skin_tone": "34", "malignant": "False", "disease": "wart"},
    ]
    table("ddi/ddi_metadata.csv", ",DDI_ID,DDI_file,skin_tone,malignant,disease", *rows)
    files("ddi/000001.png", "ddi/000002.png", "ddi/000003.png")
    real, asked = block("ddi")
    found = index(real, **asked)
    assert facts(found) == [("1", "melanoma", 56, "1"), ("2", "folliculitis", 12, "2")]
    assert {(one.dataset, one.license, one.fault) for one in found.sources} == {("DDI", "other", "")}


def test_ham10000(table: Any, files: Any, index: Callable[..., Index], tmp_path: Path) -> None:
    """Images in two folders, masks in a third, several of a lesion, and no skin tone at all."""
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"
    rows = [
        {"lesion_id": "HAM_0000118", "image_id": "ISIC_0027419", "dx": "mel"},
        {"lesion_id": "HAM_0000118", "image_id": "ISIC_0025030", "dx": "mel"},
        {"lesion_id": "HAM_0002730", "image_id": "ISIC_0026769", "dx": "bcc"},
        {"lesion_id": "HAM_0001466", "image_id": "ISIC_0031633", "dx": "nv"},
    ]
    table("ham10000/HAM10000_metadata", header, *rows)
    places = [f"ham10000/HAM10000_images_part_{1 + n % 2}/{row['image_id']}.jpg" for n, row in enumerate(rows)]
    masks = [f"ham10000/HAM10000_segmentations_lesion_tschandl/{row['image_id']}_segmentation.png" for row in rows]
    files(*places, *masks)
    real, asked = block("ham10000")
    found = index(real, root=tmp_path / "run", **asked)
    assert facts(found) == [
        ("isic-0025030", "melanoma", 0, "HAM_0000118"),
        ("isic-0026769", "basal-cell-carcinoma", 0, "HAM_0002730"),
        ("isic-0027419", "melanoma", 0, "HAM_0000118"),
        ("isic-0031633", "nevus", 0, "HAM_0001466"),
    ]
    assert {one.fault for one in found.sources} == {""}
    assert found.sources[0].location == "HAM10000_images_part_2/ISIC_0025030.jpg"
    assert found.sources[0].mask == "HAM10000_segmentations_lesion_tschandl/ISIC_0025030_segmentation.png"


def test_pad_ufes_20(table: Any, files: Any, index: Callable[..., Index]) -> None:
    """Types as decimals or missing, three folders, and patients with several lesions."""
    header = (
        "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,skin_cancer_history,"
        "cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,diameter_1,diameter_2,diagnostic,itch,grew,"
        "hurt,changed,bleed,elevation,img_id,biopsed"
    )
    rows = [
        {
            "patient_id": "PAT_46",
            "lesion_id": "881",
            "fitspatrick": "3.0",
            "diagnostic": "BCC",
            "img_id": "PAT_46_881_939.png",
        },
        {
            "patient_id": "PAT_46",
            "lesion_id": "882",
            "fitspatrick": "",
            "diagnostic": "SCC",
            "img_id": "PAT_46_882_14.png",
        },
        {
            "patient_id": "PAT_1516",
            "lesion_id": "1765",
            "fitspatrick": "",
            "diagnostic": "NEV",
            "img_id": "PAT_1516_1765_530.png",
        },
    ]
    table("pad-ufes-20/metadata.csv", header, *rows)
    files(*(f"pad-ufes-20/images/imgs_part_{part}/{row['img_id']}" for part, row in enumerate(rows, start=1)))
    real, asked = block("pad-ufes-20")
    found = index(real, **asked)
    assert facts(found) == [
        ("pat-1516-1765-530", "nevus", 0, "PAT_1516"),
        ("pat-46-881-939", "basal-cell-carcinoma", 3, "PAT_46"),
        ("pat-46-882-14", "squamous-cell-carcinoma", 0, "PAT_46"),
    ]
    assert len({one.split for one in found.sources if one.group == "PAT_46"}) == 1
    assert {one.fault for one in found.sources} == {""}


MONK = (["monk_skin_tone_label_us", "monk_skin_tone_label_india"], {"scale": "monk", "tones": list(range(1, 11))})


@pytest.mark.parametrize(("other", "tones"), [(None, [4, 4, 2, 0]), (MONK, [7, 7, 3, 0])], ids=["fitzpatrick", "monk"])
def test_scin(other: Any, tones: list[int], table: Any, files: Any, index: Callable[..., Index]) -> None:
    """Two tables, up to three images a case, weighted labels, and tones by dermatologists, users and graders."""
    real, asked = block("scin")
    if other:
        real, asked = real | {"columns": real["columns"] | {"skin_tone": other[0]}}, asked | other[1]
    cases = (
        "case_id,source,release,year,age_group,sex_at_birth,fitzpatrick_skin_type,related_category,image_1_path,"
        "image_2_path,image_3_path,image_1_shot_type,image_2_shot_type,image_3_shot_type"
    )
    labels = (
        "case_id,dermatologist_skin_condition_on_label_name,dermatologist_skin_condition_confidence,"
        "weighted_skin_condition_label,dermatologist_fitzpatrick_skin_type_label_1,"
        "dermatologist_fitzpatrick_skin_type_label_2,dermatologist_fitzpatrick_skin_type_label_3,"
        "monk_skin_tone_label_india,monk_skin_tone_label_us"
    )
    names = ["-1041276046112587793", "2243186711511406658", "3205742176803893704", "-4762289084741430925"]
    paths = [f"dataset/images/{name}.png" for name in names]
    table(
        "scin/dataset/scin_cases.csv",
        cases,
        {
            "case_id": "-1000600354148496558",
            "fitzpatrick_skin_type": "FST3",
            "image_1_path": paths[0],
            "image_3_path": paths[1],
        },
        {"case_id": "-1002039107727665188", "fitzpatrick_skin_type": "FST2", "image_1_path": paths[2]},
        {"case_id": "-1003358831658393077", "fitzpatrick_skin_type": "NONE_SELECTED", "image_1_path": paths[3]},
        {"case_id": "-1003826561155964328", "fitzpatrick_skin_type": "FST1", "image_1_path": "dataset/images/1.png"},
        {"case_id": "-1003844406100696311", "fitzpatrick_skin_type": "FST1"},
    )
    weighted, first = "weighted_skin_condition_label", "dermatologist_fitzpatrick_skin_type_label_1"
    table(
        "scin/dataset/scin_labels.csv",
        labels,
        {
            "case_id": "-1000600354148496558",
            weighted: "{'Eczema': 0.33, 'Tinea': 0.67}",
            first: "FST4",
            "monk_skin_tone_label_us": "7.0",
        },
        {"case_id": "-1002039107727665188", weighted: "{'Psoriasis': 1.0}", "monk_skin_tone_label_india": "3.0"},
        {"case_id": "-1003358831658393077", weighted: "{'Folliculitis': 0.41, 'Acne': 0.41, 'Prurigo': 0.18}"},
        {"case_id": "-1003826561155964328", weighted: "{}"},
        {"case_id": "-1003844406100696311", weighted: "{'Psoriasis': 1.0}"},
    )
    files(*(f"scin/{path}" for path in paths))
    found = sorted(index(real, **asked).sources, key=lambda one: paths.index(one.location))
    assert [one.label for one in found] == ["tinea-corporis", "tinea-corporis", "psoriasis", "folliculitis"]
    assert [one.tone for one in found] == tones
    assert [one.group for one in found][:2] == ["-1000600354148496558"] * 2
    assert [one.id for one in found] == [name.strip("-") for name in names]
    assert index(real, **asked).left_out == {"no image": 1, "no label of the manifest": 1}


def test_scin_addresses() -> None:
    """A path in the table is the end of an address, and the file in the folder; a case has up to three."""
    real, _ = block("scin")
    row = {"image_1_path": "dataset/images/1.png", "image_2_path": "", "image_3_path": "dataset/images/3.png"}
    found = targets([row], Fetch.model_validate(real["fetch"]))
    bucket = "https://storage.googleapis.com/dx-scin-public-data"
    assert [(one.address, one.file, one.fault) for one in found] == [
        (f"{bucket}/dataset/images/{number}.png", f"dataset/images/{number}.png", "") for number in (1, 3)
    ]


def test_isic(table: Any, files: Any, index: Callable[..., Index]) -> None:
    """Roman types, a licence an image, and patients where they are known or else lesions."""
    header = (
        "isic_id,attribution,copyright_license,age_approx,anatom_site_general,concomitant_biopsy,dermoscopic_type,"
        "diagnosis_1,diagnosis_2,diagnosis_3,diagnosis_4,diagnosis_5,diagnosis_confirm_type,fitzpatrick_skin_type,"
        "image_type,lesion_id,melanocytic,patient_id,sex"
    )
    rows = [
        {"isic_id": "ISIC_0000022", "copyright_license": "CC-0", "diagnosis_3": "Melanoma Invasive",
         "lesion_id": "IL_7529324", "fitzpatrick_skin_type": "III", "image_type": "dermoscopic",
         "patient_id": "IP_1234567"},
        {"isic_id": "ISIC_0000030", "copyright_license": "CC-BY-NC", "diagnosis_3": "Basal cell carcinoma",
         "lesion_id": "IL_2451024", "image_type": "dermoscopic"},
        {"isic_id": "ISIC_0000031", "copyright_license": "CC-BY", "diagnosis_3": "Nevus", "image_type": "dermoscopic"},
        {"isic_id": "ISIC_0000032", "copyright_license": "CC-BY", "diagnosis_3": "Melanoma in situ",
         "image_type": "TBP tile: close-up"},
    ]  # fmt: skip
    table("isic/metadata.csv", header, *rows)
    files(*(f"isic/{row['isic_id']}.jpg" for row in rows))
    real, asked = block("isic")
    found = index(real, **asked)
    assert facts(found) == [
        ("isic-0000022", "melanoma", 3, "IP_1234567"),
        ("isic-0000030", "basal-cell-carcinoma", 0, "IL_2451024"),
    ]
    assert [one.license for one in found.sources] == ["CC-0", "CC-BY-NC"]
    assert found.left_out == {"no label of the manifest": 1, "not among the values of `where`": 1}
