using System.Diagnostics;
using System.Globalization;
using Session.Orleans.Fuzz;

// dotnet run -c Release --project tests/Session.Orleans.Fuzz -- [--cases N] [--seed N] [--target NAME] [--save DIR]
var options = args.Chunk(2).ToDictionary(pair => pair[0], pair => pair.Length == 2 ? pair[1] : "");
if (options.Keys.Except(["--cases", "--seed", "--target", "--save"]).Any())
{
    Console.Error.WriteLine("Options: --cases N (per target, 1000000), --seed N, --target NAME, --save DIR for the inputs of findings");
    return 2;
}

var cases = long.Parse(options.GetValueOrDefault("--cases", "1000000"), CultureInfo.InvariantCulture);
var seed = int.Parse(options.GetValueOrDefault("--seed", FuzzRun.DefaultSeed.ToString(CultureInfo.InvariantCulture)), CultureInfo.InvariantCulture);
var failed = false;
Console.WriteLine("| target | cases | seconds | findings | slowest / median |\n|---|---|---|---|---|");
foreach (var target in FuzzTargets.All.Where(target => options.GetValueOrDefault("--target", target.Name) == target.Name))
{
    var watch = Stopwatch.StartNew();
    var run = new FuzzRun(target, seed);
    foreach (var (_, input) in FuzzCorpus.Of(target))
        run.RunOne(-1, input);
    run.Run(0, cases);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {target.Name} | {cases} | {watch.Elapsed.TotalSeconds:F0} | {run.Findings.Count} | {run.WorstRatio:F1} |"));
    foreach (var finding in run.Findings)
    {
        failed = true;
        Console.Error.WriteLine(finding);
        if (options.TryGetValue("--save", out var folder))
        {
            Directory.CreateDirectory(Path.Combine(folder, target.Name));
            File.WriteAllBytes(Path.Combine(folder, target.Name, string.Create(CultureInfo.InvariantCulture, $"case-{finding.Case}.bin")), finding.Input);
        }
    }
}

return failed ? 4 : 0;
