"""
An invented repair company: 12 engineers, 60 devices of 8 models at 45 customers, 30 parts in 2 warehouses and 12 vans.

The same seed makes the same company. Nothing in it is real.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any

MODELS = {
    "BCD-520WT": "refrigeration",
    "BCD-316GT": "refrigeration",
    "KFR-35GW": "air-conditioning",
    "KFR-72LW": "air-conditioning",
    "XQG-100B": "laundry",
    "XQB-80M": "laundry",
    "JSQ-30T": "gas-appliance",
    "CXW-260A": "kitchen",
}
"""Device model → what an engineer must be able to do."""

DISTRICTS = {
    "朝阳区": (39_921_000, 116_443_000),
    "海淀区": (39_959_000, 116_298_000),
    "丰台区": (39_858_000, 116_287_000),
    "通州区": (39_909_000, 116_657_000),
}
"""District → its middle, millionths of a degree."""

APPLIANCES = {
    "air-conditioning": ("空调维修", "Air conditioner"),
    "refrigeration": ("冰箱维修", "Refrigerator"),
    "laundry": ("洗衣机维修", "Washing machine"),
    "gas-appliance": ("燃气热水器维修", "Gas water heater"),
    "kitchen": ("油烟机维修", "Cooker hood"),
}
"""What somebody asks for whose device is in no register: what it is says who can mend it."""

SURNAMES, GIVEN = "王李张刘陈杨赵黄周吴徐孙", "伟芳娜敏静强磊军洋勇艳杰涛明超"
PARTS_OF_SKILL = {
    "refrigeration": (
        "压缩机 compressor",
        "密封胶 sealant",
        "温控器 thermostat",
        "风机 fan motor",
        "门封 door seal",
        "启动器 start relay",
    ),
    "air-conditioning": (
        "电容 capacitor",
        "滤网 filter",
        "制冷剂 refrigerant",
        "控制板 control board",
        "风叶 fan blade",
        "排水泵 drain pump",
    ),
    "laundry": (
        "排水泵 drain pump",
        "皮带 belt",
        "轴承 bearing",
        "门锁 door lock",
        "进水阀 inlet valve",
        "减震器 shock absorber",
    ),
    "gas-appliance": (
        "点火器 igniter",
        "燃气阀 gas valve",
        "换热器 heat exchanger",
        "水流传感器 flow sensor",
        "皮膜 membrane",
        "热电偶 thermocouple",
    ),
    "kitchen": ("开关 switch", "油杯 oil cup", "电机 motor", "照明灯 lamp", "风管 duct", "触控面板 touch panel"),
}
FAULTS = ("不制冷，压缩机一直响", "漏水", "开机后几分钟自动停机", "异响很大", "显示故障代码", "按键没有反应")
WAREHOUSES = ("WH-EAST", "WH-WEST")


@dataclass(frozen=True)
class Company:
    """What is registered before the first customer calls; each a body for its route."""

    request_types: dict[str, dict[str, Any]]
    customers: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    engineers: list[dict[str, Any]]
    places: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    counts: list[dict[str, Any]]
    service_codes: list[dict[str, Any]] = field(default_factory=list)
    prices: list[dict[str, Any]] = field(default_factory=list)
    coverages: list[dict[str, Any]] = field(default_factory=list)


def company(seed: int) -> Company:
    rng = Random(seed)
    engineers = [_engineer(rng, n) for n in range(1, 13)]
    customers = [_customer(rng, n) for n in range(1, 46)]
    parts = _parts(rng)
    places = [{"place_id": w, "kind": "warehouse", "name": w, "region": "朝阳区"} for w in WAREHOUSES]
    places += [{"place_id": e["van_id"], "kind": "van", "name": e["name"], "region": e["region"]} for e in engineers]
    counts = [
        {"part_id": part["part_id"], "place_id": warehouse, "quantity": rng.randint(20, 60)}
        for part in parts
        for warehouse in WAREHOUSES
    ]
    counts += [
        {"part_id": part["part_id"], "place_id": engineer["van_id"], "quantity": rng.randint(1, 4)}
        for engineer in engineers
        for part in parts
        if any(model in part["fits"] for model, skill in MODELS.items() if skill in engineer["skills"])
    ]
    devices = _devices(rng, customers)
    return Company(
        request_types={
            "repair": {"name": "Repair", "name_zh": "设备报修", "duration_s": 3_600, "min_description": 2},
            "installation": {"name": "Installation", "name_zh": "安装", "kind": "installation", "duration_s": 5_400},
            "inspection": {"name": "Inspection round", "name_zh": "巡检", "duration_s": 1_800},
            **{f"home-{skill}": _at_home(*words, skill) for skill, words in APPLIANCES.items()},
        },
        customers=customers,
        devices=devices,
        engineers=engineers,
        places=places,
        parts=parts,
        counts=counts,
        service_codes=[CODES],
        prices=[_prices(parts)],
        coverages=[_warranty(device["device_id"]) for device in devices[::2]],
    )


def _at_home(name_zh: str, name: str, skill: str) -> dict[str, Any]:
    """A repair of what has no number in the register, with two questions that help the engineer to come prepared."""
    since = {"today": ("Today", "今天"), "days": ("For days", "这几天"), "longer": ("For longer", "更久")}
    return {
        "name": name,
        "name_zh": name_zh,
        "needs_device": False,
        "skill": skill,
        "duration_s": 3_600,
        "min_description": 2,
        "form": [
            {
                "name": "since",
                "label": "Since when",
                "label_zh": "什么时候开始的",
                "kind": "choice",
                "choices": [{"value": value, "label": en, "label_zh": zh} for value, (en, zh) in since.items()],
            },
            {"name": "code", "label": "Code on the display", "label_zh": "屏幕上的故障代码", "most": 20},
        ],
    }


FOUNDED = "2026-01-01T00:00:00+08:00"

CODES = {
    "causes": [
        {"code": "wear", "en": "Worn", "zh": "磨损"},
        {"code": "blocked", "en": "Blocked", "zh": "堵塞"},
        {"code": "misuse", "en": "Wrong use", "zh": "使用不当"},
    ],
    "remedies": [
        {"code": "replaced", "en": "Part replaced", "zh": "更换备件"},
        {"code": "cleaned", "en": "Cleaned", "zh": "清洗"},
        {"code": "adjusted", "en": "Adjusted", "zh": "调整"},
    ],
}


def _prices(parts: list[dict[str, Any]]) -> dict[str, Any]:
    listed = [{"part_id": part["part_id"], "unit_fen": 4_900 + 1_000 * n} for n, part in enumerate(parts)]
    return {
        "effective_from": FOUNDED,
        "labour_fen_per_h": 12_000,
        "labour_step_s": 900,
        "travel_fen": 5_000,
        "parts": listed,
    }


def _warranty(device_id: str) -> dict[str, Any]:
    """Every second device is young enough: its labour is free for a year longer than its parts."""
    return {
        "device_id": device_id,
        "coverage_id": f"W-{device_id}",
        "kind": "warranty",
        "starts_at": FOUNDED,
        "labour": {"percent": 100, "until": "2029-01-01T00:00:00+08:00"},
        "parts": {"percent": 100, "until": "2028-01-01T00:00:00+08:00"},
        "travel": {"percent": 50, "until": "2028-01-01T00:00:00+08:00"},
    }


def _near(rng: Random, region: str) -> tuple[int, int]:
    lat, lon = DISTRICTS[region]
    return lat + rng.randint(-30_000, 30_000), lon + rng.randint(-40_000, 40_000)


def _name(rng: Random) -> str:
    return rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, 2))


def _engineer(rng: Random, number: int) -> dict[str, Any]:
    region = list(DISTRICTS)[number % len(DISTRICTS)]
    lat, lon = _near(rng, region)
    skills = sorted(set(MODELS.values()))
    known = {skills[number % len(skills)], *rng.sample(skills, 2)}
    return {
        "engineer_id": f"E{number:02}",
        "name": _name(rng),
        "skills": sorted(known),
        "region": region,
        "home_lat_udeg": lat,
        "home_lon_udeg": lon,
        # Two shifts, so that somebody works at every hour at which the demo may be run.
        "shifts": [
            {"weekday": day, "from_minute": 0 if number % 2 else 600, "to_minute": 840 if number % 2 else 1440}
            for day in range(7)
        ],
        "van_id": f"VAN-{number:02}",
        "daily_limit": 12,
        "hour_fen": 5_000 + 300 * (number % 4),
        "km_fen": 120 + 20 * (number % 3),
        "rates_from": FOUNDED,
    }


def _customer(rng: Random, number: int) -> dict[str, Any]:
    region = rng.choice(list(DISTRICTS))
    lat, lon = _near(rng, region)
    return {
        "customer_id": f"C{number:03}",
        "name": _name(rng),
        "phone": f"1380000{number:04}",
        "street": f"演示路 {rng.randint(1, 300)} 号",
        "kind": "company" if rng.random() < 0.2 else "person",
        "region": region,
        "lat_udeg": lat,
        "lon_udeg": lon,
    }


def _devices(rng: Random, customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    devices = []
    for number in range(1, 61):
        owner = customers[(number - 1) % len(customers)]
        model = rng.choice(list(MODELS))
        devices.append(
            {
                "device_id": f"D{number:03}",
                "customer_id": owner["customer_id"],
                "model": model,
                "serial": f"{model}-{rng.randrange(10**8):08}",
                "skill": MODELS[model],
            }
        )
    return devices


def _parts(rng: Random) -> list[dict[str, Any]]:
    parts = []
    for skill, names in PARTS_OF_SKILL.items():
        fits = [model for model, needed in MODELS.items() if needed == skill]
        for place, name in enumerate(names):
            parts.append(
                {
                    "part_id": f"{skill[:3].upper()}-{place + 1}",
                    "name": name,
                    "fits": fits,
                    "usual_quantity": 1 if place < 2 else 0,
                    "low_below": rng.randint(2, 6),
                    "cost_fen": 2_500 + 1_700 * place,
                    "cost_from": FOUNDED,
                }
            )
    return parts
