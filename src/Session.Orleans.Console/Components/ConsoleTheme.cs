using MudBlazor;

namespace Session.Orleans.ConsolePage.Components;

/// <summary>Colours and letters. The same greens, ambers and reds in both palettes, each with enough contrast to its ground.</summary>
internal static class ConsoleTheme
{
    /// <summary>The theme of all pages.</summary>
    public static readonly MudTheme Theme = new()
    {
        PaletteLight = new PaletteLight
        {
            Primary = "#0f766e",
            Secondary = "#4f46e5",
            Success = "#15803d",
            Warning = "#b45309",
            Error = "#b91c1c",
            Info = "#0369a1",
            Background = "#f6f7f9",
            Surface = "#ffffff",
            AppbarBackground = "#ffffff",
            AppbarText = "#1c2530",
            TextPrimary = "#1c2530",
            TextSecondary = "#566273",
            ActionDefault = "#566273",
            LinesDefault = "#e3e7ec",
            TableLines = "#e3e7ec",
            Divider = "#e3e7ec",
        },
        PaletteDark = new PaletteDark
        {
            Primary = "#2dd4bf",
            Secondary = "#a5b4fc",
            Success = "#4ade80",
            Warning = "#fbbf24",
            Error = "#f87171",
            Info = "#38bdf8",
            Background = "#11161d",
            Surface = "#1a212b",
            AppbarBackground = "#1a212b",
            AppbarText = "#e6ebf2",
            TextPrimary = "#e6ebf2",
            TextSecondary = "#9fadbf",
            ActionDefault = "#9fadbf",
            LinesDefault = "#2c3644",
            TableLines = "#2c3644",
            Divider = "#2c3644",
            PrimaryContrastText = "#0b1517",
        },
        LayoutProperties = new LayoutProperties { DefaultBorderRadius = "10px", AppbarHeight = "56px" },
        Typography = new Typography
        {
            Default = new DefaultTypography { FontFamily = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"], FontSize = "0.9rem" },
            Button = new ButtonTypography { TextTransform = "none", FontFamily = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"] },
        },
    };
}
