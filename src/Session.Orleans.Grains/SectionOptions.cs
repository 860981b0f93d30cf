using System.ComponentModel.DataAnnotations;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Session.Orleans.Grains;

/// <summary>Options that are a section of the configuration and are checked before anything starts.</summary>
public static class SectionOptions
{
    /// <summary>Binds options to their section and checks their annotations at start; errors name the option as an operator writes it, <c>Section:Option</c>.</summary>
    /// <param name="services">The services.</param>
    /// <param name="section">Name of the section.</param>
    public static OptionsBuilder<TOptions> AddSectionOptions<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.All)] TOptions>(
        this IServiceCollection services, string section)
        where TOptions : class
    {
        services.AddSingleton(new OptionSection(section, typeof(TOptions)));
        services.AddSingleton<IValidateOptions<TOptions>>(new SectionValidator<TOptions>(section));
        return services.AddOptions<TOptions>().BindConfiguration(section).ValidateOnStart();
    }

    /// <summary>What is wrong with the annotated members, each with its full name; empty if nothing is.</summary>
    /// <param name="section">Name of the section.</param>
    /// <param name="options">The options as they were bound.</param>
    public static IReadOnlyList<string> FindErrors(string section, object options)
    {
        var errors = new List<ValidationResult>();
        _ = Validator.TryValidateObject(options, new(options), errors, validateAllProperties: true);
        return [.. errors.Select(error => NameOption(section, error))];
    }

    private static string NameOption(string section, ValidationResult error)
    {
        var text = error.ErrorMessage ?? "is invalid";
        return text.StartsWith(section + ":", StringComparison.Ordinal) || error.MemberNames.FirstOrDefault() is not { } member
            ? text : $"{section}:{member}: {text}";
    }

    /// <remarks>By hand: generated validators forget the texts of ranges, and with them the full names.</remarks>
    private sealed class SectionValidator<TOptions>(string section) : IValidateOptions<TOptions>
        where TOptions : class
    {
        public ValidateOptionsResult Validate(string? name, TOptions options)
        {
            var errors = FindErrors(section, options);
            return errors.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
        }
    }
}

/// <summary>A section of the configuration that is read, so that a misspelled option can be told from one.</summary>
/// <param name="Name">Name of the section; parts below another section have a colon in it.</param>
/// <param name="Options">Type of its options, whose properties are the option names.</param>
public sealed record OptionSection(string Name, Type Options);
