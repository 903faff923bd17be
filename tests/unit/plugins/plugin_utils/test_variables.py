from __future__ import annotations

from ansible_collections.celeryops.cluster.plugins.plugin_utils._variables import (
    text_problems,
    unknown_variables,
    variable_types,
)


def test_unknown_variables_come_with_a_guess() -> None:
    known = ["celery_worker_pools", "celery_user"]
    names = ["celery_user", "celery_worker_pool", "celery_quantum_flux"]
    assert unknown_variables(names, known) == [
        "Unknown variable celery_quantum_flux: correct its name or remove it.",
        "Unknown variable celery_worker_pool (did you mean 'celery_worker_pools'?): "
        "correct its name or remove it.",
    ]


def test_text_in_place_of_a_list_or_a_dictionary() -> None:
    values = {"celery_settings": "{}", "celery_app_packages": '["six"]', "celery_user": "celery"}
    assert text_problems(values, variable_types()) == [
        "celery_app_packages is the text '[\"six\"]' and has to be a list: write it as YAML in the "
        "inventory, or as JSON after -e, such as -e '{\"celery_app_packages\": …}'.",
        "celery_settings is the text '{}' and has to be a dictionary: write it as YAML in the "
        "inventory, or as JSON after -e, such as -e '{\"celery_settings\": …}'.",
    ]


def test_what_may_be_text_is_no_problem() -> None:
    values = {"celery_settings": {}, "celery_app_packages": ["six"], "celery_worker_serial": "50%"}
    assert text_problems(values, variable_types()) == []
