//! A command line that cannot be carried out is refused in Chinese, by the name of what is wrong.

use crate::house::run;

#[test]
fn a_wrong_command_line_is_told_in_chinese_with_code_two() {
    for (args, words) in [
        (&["exprot"][..], &["没有 exprot 这个命令"][..]),
        (&["serve", "--prot", "1"], &["不认识参数 --prot", "--port"]),
        (&["import", "check_action"], &["缺少参数", "<FILE>", "--source <SOURCE>"]),
        (&["serve", "--port"], &["参数 --port <PORT> 没有给出内容"]),
        (&["serve", "--port", "x"], &["参数 --port <PORT> 不能是 x"]),
        (&["demo", "--size", "huge"], &["不能是 huge", "可选 small、full"]),
        (&["serve", "--port", "1", "--port", "2"], &["参数 --port <PORT> 写了两次"]),
        (&["doctor", "extra"], &["不认识参数 extra"]),
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}: {}", ran.err);
        for word in words {
            assert!(ran.err.contains(word), "{args:?} {word}: {}", ran.err);
        }
        assert!(ran.err.ends_with("加 --help 看说明\n"), "{args:?}: {}", ran.err);
        for english in ["error:", "Usage", "argument", "For more"] {
            assert!(!ran.err.contains(english), "{args:?} {english}: {}", ran.err);
        }
    }
    let usage = run(&["import", "check_action"]).err;
    assert!(usage.contains("\n用法：mingjian import --source <SOURCE>"), "{usage}");
    let help = run(&["verify", "--help"]);
    assert!(help.code == 0 && help.out.contains("--checkpoint"), "{} {}", help.out, help.err);
    let bare = run(&[]);
    assert!(bare.code == 2 && bare.err.contains("doctor"), "{} {}", bare.out, bare.err);
    assert!(run(&["--version"]).out.starts_with("mingjian "));
}
