from sampan.engine.containers.collaborators import Paths


def test_what_has_to_last_is_below_the_data_root_and_what_is_running_below_the_other() -> None:
    paths = Paths("/data", "/run")
    assert paths.container_dir("c1") == "/data/containers/c1"
    assert paths.exit_path("c1") == "/data/containers/c1/exit.json"
    assert paths.log_path("c1") == "/data/containers/c1/c1-json.log"
    assert paths.exec_dir("c1") == "/run/containers/c1"
