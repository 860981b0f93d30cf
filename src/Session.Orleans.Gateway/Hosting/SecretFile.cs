using System.Text;

namespace Session.Orleans.Gateway.Hosting;

/// <summary>Files that only their owner may read.</summary>
public static class SecretFile
{
    /// <summary>Creates or replaces <paramref name="path"/> in one step, readable and writable by the owner alone.</summary>
    public static void Write(string path, string text)
    {
        var temporary = path + ".new";
        File.Delete(temporary);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new FileStream(temporary, options))
            stream.Write(Encoding.UTF8.GetBytes(text));
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>The text of <paramref name="path"/>, or, where there is no such file, that of <paramref name="create"/>, which is then kept in it.</summary>
    public static string ReadOrCreate(string path, Func<string> create)
    {
        if (File.Exists(path))
            return File.ReadAllText(path).Trim();
        var text = create();
        Write(path, text);
        return text;
    }
}
